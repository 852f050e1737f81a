// What a cell network is made of, in the skeleton of NAS-Bench-201: nodes, and sums of branches.
//
// The network is a list of sums in the order of computation. Each sum makes a node out of
// branches: skips, poolings, convolutions with BatchNorm. Nothing else knows of cells.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "memory.h"
#include "pointwise.h"
#include "weights.h"

// Operations of an edge, as the caller numbers them.
enum Operation { SKIP = 1, CONV_1X1 = 2, CONV_3X3 = 3, POOL_3X3 = 4, SHIFT_ONLY = 5 };

// What the caller says of a training; see engine.cpp for the arrays.
struct Spec {
  int32_t inputs, size, classes;         // of the images and labels
  int32_t channels, cells, batch_size;   // of the recipe
  int32_t nodes, edges;                  // of the cell
  int32_t epochs, nesterov;
  float momentum, weight_decay, label_smoothing;
};

struct Edge {
  int32_t source, target, operation;
};

// A node's value x, ReLU(x) and the loss's gradient to x. What no branch reads is not kept.
struct Node {
  int size, channels;  // pixels a side
  bool reads_x = false, reads_relu = false;
  Array x, relu, gradient;
  bool has_gradient = false;

  int pixels() const { return size * size; }
  size_t chunk() const { return static_cast<size_t>(pixels()) * channels * LANES; }
};

struct BatchNorm {
  size_t gamma = 0;  // where its weights are; beta follows
  std::vector<float> mean, inverse, scale, running_mean, running_variance;
  std::vector<float> pivot;           // near the mean, so that squares do not cancel
  std::vector<double> first, second;  // sums over the batch
  std::vector<float> a, b, d;         // backward: dz = a dy + b (z - mean) + d

  explicit BatchNorm(int channels = 0)
      : mean(channels), inverse(channels), scale(channels), running_mean(channels),
        running_variance(channels, 1.0f), pivot(channels), first(channels), second(channels),
        a(channels), b(channels), d(channels) {}
};

enum class Kind { SKIP, POOL, CONVOLUTION, DOWN, SHIFT, NORM, STEM };

struct Branch {
  Kind kind;
  Node* source = nullptr;
  size_t weights = 0;  // of the convolution, or the shift
  int in = 0, out = 0, taps = 0;
  const Geometry *geometry = nullptr, *back = nullptr;
  const Pooling *pooling = nullptr, *pooling_back = nullptr;
  WeightPlan plan;
  BatchNorm norm;
  bool normalized = false;
  bool adds = false;  // backward: to a gradient that is there already
  int edge = -1;      // of the cell, by its place among the caller's; outside cells none
  Array z, pooled;
  Array passing;  // what z is in evaluation, where nothing reads it again
  Array packed, packed_back, sums;
};

struct Sum {
  Node* target;
  std::vector<std::unique_ptr<Branch>> branches;
  std::vector<Branch*> live;  // those that run: all of them, unless a path was selected
};

// The sums of a network, its memory and its parameters, in the order in which PyTorch lists those
// of the module.
class Layers {
 public:
  Layers(const Spec& spec, const Edge* edges)
      : spec_(spec), chunks_((spec.batch_size + LANES - 1) / LANES) {
    for (int stage = 0, size = spec.size; stage < 3; stage++, size = strided(size, 2)) {
      sizes_[stage] = size;
      conv1_[stage] = convolution_geometry(size, 1, 1);
      conv3_[stage] = convolution_geometry(size, 3, 1);
      pool_[stage] = mean_pooling(size, 3, 1, 1);
      conv1_back_[stage] = transposed(conv1_[stage]);
      conv3_back_[stage] = transposed(conv3_[stage]);
      pool_back_[stage] = pool_[stage].backward();
      if (!stage) continue;
      down_[stage] = mean_pooling(sizes_[stage - 1], 2, 2, 0);
      down_back_[stage] = down_[stage].backward();
      strided_[stage] = convolution_geometry(sizes_[stage - 1], 3, 2);
      strided_back_[stage] = transposed(strided_[stage]);
    }
    build(edges);
    for (Sum& sum : sums_)
      for (auto& b : sum.branches) sum.live.push_back(b.get());
  }

  size_t parameter_count() const { return parameters_.size(); }
  float* parameters() { return parameters_.data(); }
  const float* gradients() const { return gradients_.data(); }

  // BatchNorm's running means where its weights are among the parameters, the variances where its
  // shifts are; the rest of `to` stays as it is.
  void running_statistics(float* to) const {
    for (const Sum& sum : sums_)
      for (const auto& b : sum.branches) {
        if (!b->normalized) continue;
        const BatchNorm& norm = b->norm;
        std::copy(norm.running_mean.begin(), norm.running_mean.end(), to + norm.gamma);
        std::copy(norm.running_variance.begin(), norm.running_variance.end(),
                  to + norm.gamma + b->out);
      }
  }

  // To be filled before a pass.
  float* images() { return images_.data(); }

 protected:
  Spec spec_;
  int chunks_;
  Arena arena_;
  Array images_;
  std::vector<Sum> sums_;
  std::vector<float> parameters_, gradients_;
  size_t classifier_ = 0, bias_ = 0;
  std::vector<std::unique_ptr<Node>> nodes_;

 private:
  size_t take(size_t n) {
    const size_t at = parameters_.size();
    parameters_.resize(at + n);
    gradients_.resize(at + n);
    return at;
  }

  Node* node(int stage) {
    nodes_.push_back(std::make_unique<Node>());
    nodes_.back()->size = sizes_[stage];
    nodes_.back()->channels = spec_.channels << stage;
    return nodes_.back().get();
  }

  Branch& branch(Sum& sum, Kind kind, Node* source) {
    sum.branches.push_back(std::make_unique<Branch>());
    Branch& made = *sum.branches.back();
    made.kind = kind;
    made.source = source;
    made.out = sum.target->channels;
    made.in = source ? source->channels : made.out;
    if (source) (kind == Kind::CONVOLUTION ? source->reads_relu : source->reads_x) = true;
    return made;
  }

  void add_norm(Branch& b) {
    b.norm = BatchNorm(b.out);
    b.norm.gamma = take(2 * static_cast<size_t>(b.out));
    b.normalized = true;
  }

  void add_convolution(Branch& b, const Node& target, const Geometry& g, const Geometry* back) {
    b.taps = g.taps;
    b.geometry = &g;
    b.back = back;
    const size_t weights = static_cast<size_t>(b.in) * b.out * b.taps;
    b.weights = take(weights);
    b.z = arena_.take(chunks_ * target.chunk());
    b.packed = arena_.take(weights);
    b.packed_back = arena_.take(weights);
    b.plan = WeightPlan(g, chunks_);
    if (!b.plan.whole) b.sums = arena_.take(weights * WIDTH);
  }

  void build(const Edge* edges) {
    const size_t numbers = static_cast<size_t>(sizes_[0]) * sizes_[0] * spec_.inputs;
    images_ = arena_.take(chunks_ * numbers * LANES);
    Node* current = node(0);
    sums_.push_back({current, {}, {}});
    Branch& stem = branch(sums_.back(), Kind::STEM, nullptr);
    stem.in = spec_.inputs;
    add_convolution(stem, *current, conv3_[0], nullptr);
    add_norm(stem);
    for (int stage = 0; stage < 3; stage++) {
      if (stage) current = build_reduction(current, stage);
      for (int i = 0; i < spec_.cells; i++) current = build_cell(current, stage, edges);
    }
    Node* last = node(2);
    last->reads_relu = true;
    sums_.push_back({last, {}, {}});
    add_norm(branch(sums_.back(), Kind::NORM, current));
    classifier_ = take(static_cast<size_t>(last->channels) * spec_.classes);
    bias_ = take(spec_.classes);
    for (auto& made : nodes_)
      if (made->reads_relu) made->relu = arena_.take(whole(*made));
    Recycler memory(arena_);
    place_values(memory);
    place_gradients(memory);
  }

  size_t whole(const Node& node) const { return chunks_ * node.chunk(); }

  // A value is read by the sums up to the last that takes it, what a branch gives within its own
  // sum. Only the value before the last BatchNorm is read on the way back.
  void place_values(Recycler& memory) {
    std::map<Node*, Sum*> last;
    for (auto& sum : sums_)
      for (auto& b : sum.branches)
        if (b->source && b->kind != Kind::CONVOLUTION) last[b->source] = &sum;
    for (auto& sum : sums_) {
      if (sum.target->reads_x) sum.target->x = memory.take(whole(*sum.target));
      for (auto& b : sum.branches)
        if (b->kind == Kind::POOL || b->geometry) b->passing = memory.take(whole(*sum.target));
      for (auto& b : sum.branches) {
        if (b->passing.data()) memory.give(b->passing);
        if (b->kind != Kind::NORM && last.count(b->source) && last[b->source] == &sum) {
          memory.give(b->source->x);
          last.erase(b->source);
        }
      }
    }
  }

  // A gradient lives from the last sum that reads its node, the first on the way back, to the
  // node's own.
  void place_gradients(Recycler& memory) {
    Node& end = *sums_.back().target;
    end.gradient = memory.take(whole(end));
    for (auto sum = sums_.rbegin(); sum != sums_.rend(); ++sum) {
      for (auto& b : sum->branches)
        if (b->source && !b->source->gradient.data())
          b->source->gradient = memory.take(whole(*b->source));
      if (sum->target->gradient.data()) memory.give(sum->target->gradient);
    }
  }

  Node* build_cell(Node* input, int stage, const Edge* edges) {
    std::vector<Node*> nodes{input};
    for (int target = 1; target < spec_.nodes; target++) {
      Node* made = node(stage);
      nodes.push_back(made);
      Sum sum{made, {}, {}};
      for (int e = 0; e < spec_.edges; e++) {
        if (edges[e].target != target) continue;
        Node* source = nodes[edges[e].source];
        const int operation = edges[e].operation;
        if (operation == SKIP) {
          branch(sum, Kind::SKIP, source);
        } else if (operation == POOL_3X3) {
          Branch& b = branch(sum, Kind::POOL, source);
          b.pooling = &pool_[stage];
          b.pooling_back = &pool_back_[stage];
        } else if (operation == SHIFT_ONLY) {
          Branch& b = branch(sum, Kind::SHIFT, nullptr);
          b.weights = take(b.out);
        } else {
          Branch& b = branch(sum, Kind::CONVOLUTION, source);
          const bool wide = operation == CONV_3X3;
          add_convolution(b, *made, wide ? conv3_[stage] : conv1_[stage],
                          wide ? &conv3_back_[stage] : &conv1_back_[stage]);
          add_norm(b);
        }
        sum.branches.back()->edge = e;
      }
      sums_.push_back(std::move(sum));
    }
    return nodes.back();
  }

  Node* build_reduction(Node* input, int stage) {
    Node* inner = node(stage);
    sums_.push_back({inner, {}, {}});
    Branch& a = branch(sums_.back(), Kind::CONVOLUTION, input);
    add_convolution(a, *inner, strided_[stage], &strided_back_[stage]);
    add_norm(a);
    Node* made = node(stage);
    sums_.push_back({made, {}, {}});
    Branch& b = branch(sums_.back(), Kind::CONVOLUTION, inner);
    add_convolution(b, *made, conv3_[stage], &conv3_back_[stage]);
    add_norm(b);
    Branch& shortcut = branch(sums_.back(), Kind::DOWN, input);
    shortcut.pooling = &down_[stage];
    shortcut.pooling_back = &down_back_[stage];
    const size_t pooled = static_cast<size_t>(made->pixels()) * input->channels * LANES;
    shortcut.pooled = arena_.take(chunks_ * pooled);
    add_convolution(shortcut, *made, conv1_[stage], &conv1_back_[stage]);
    return made;
  }

  int sizes_[3];
  Geometry conv1_[3], conv3_[3], strided_[3], conv1_back_[3], conv3_back_[3], strided_back_[3];
  Pooling pool_[3], pool_back_[3], down_[3], down_back_[3];
};
