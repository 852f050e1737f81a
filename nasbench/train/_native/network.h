// A cell network in the skeleton of NAS-Bench-201: forward, backward, one step of SGD.
//
// The network is a list of sums in the order of computation. Each sum makes a node out of
// branches: skips, poolings, convolutions with BatchNorm. Nothing else knows of cells.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "pointwise.h"

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

// Zeroed memory on cache lines, freed with its owner.
class Buffer {
 public:
  explicit Buffer(size_t n = 0) : size_(n) {
    if (!n) return;
    const size_t bytes = (n * sizeof(float) + 63) / 64 * 64;
    data_.reset(static_cast<float*>(std::aligned_alloc(64, bytes)));
    if (!data_) throw std::bad_alloc();
    std::memset(data_.get(), 0, bytes);
  }
  float* data() const { return data_.get(); }
  size_t size() const { return size_; }
  void clear() { if (size_) std::memset(data_.get(), 0, size_ * sizeof(float)); }

 private:
  struct Free { void operator()(float* p) const { std::free(p); } };
  std::unique_ptr<float, Free> data_;
  size_t size_;
};

struct Node {
  int size, channels;  // pixels a side
  Buffer x, relu, gradient;  // [chunk][pixel][channel][LANES]
  bool has_gradient = false;

  Node(int size, int channels, int chunks, bool keeps_x = true)
      : size(size), channels(channels) {
    const size_t n = chunks * chunk();
    if (keeps_x) x = Buffer(n);
    relu = Buffer(n);
    gradient = Buffer(n);
  }
  int pixels() const { return size * size; }
  size_t chunk() const { return static_cast<size_t>(pixels()) * channels * LANES; }
};

struct BatchNorm {
  size_t gamma = 0;  // where its weights are; beta follows
  std::vector<float> mean, inverse, scale, running_mean, running_variance;

  explicit BatchNorm(int channels = 0)
      : mean(channels), inverse(channels), scale(channels), running_mean(channels),
        running_variance(channels, 1.0f) {}
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
  Buffer z, pooled;
  Buffer packed, packed_back, sums;
};

struct Sum {
  Node* target;
  std::vector<std::unique_ptr<Branch>> branches;
};

class Network {
 public:
  Network(const Spec& spec, const Edge* edges)
      : spec_(spec), chunks_((spec.batch_size + LANES - 1) / LANES), mask_(LANES) {
    for (int stage = 0, size = spec.size; stage < 3; stage++, size = strided(size, 2))
      sizes_[stage] = size;
    for (int stage = 0; stage < 3; stage++) {
      const int size = sizes_[stage];
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
    velocity_.assign(parameters_.size(), 0.0f);
  }

  size_t parameter_count() const { return parameters_.size(); }
  float* parameters() { return parameters_.data(); }
  const float* gradients() const { return gradients_.data(); }
  // [chunk][pixel][inputs][LANES], to be filled before a pass.
  float* images() { return images_.data(); }

  // Mean loss and correct answers of a batch of n images, and, in training, the gradients.
  // `labels` are the images', `smoothing` the share of the target spread over all classes.
  void pass(const int32_t* labels, int n, bool training, float smoothing, double* loss,
            int* correct) {
    n_ = n;
    used_ = (n + LANES - 1) / LANES;
    for (int i = 0; i < LANES; i++)
      mask_.data()[i] = (used_ - 1) * LANES + i < n ? 1.0f : 0.0f;
    for (auto& sum : sums_) forward(sum, training);
    head(labels, training, smoothing, loss, correct);
    if (!training) return;
    for (auto sum = sums_.rbegin(); sum != sums_.rend(); ++sum) backward(*sum);
  }

  void step(float rate) {
    for (size_t i = 0; i < parameters_.size(); i++) {
      const float g = gradients_[i] + spec_.weight_decay * parameters_[i];
      velocity_[i] = spec_.momentum * velocity_[i] + g;
      parameters_[i] -= rate * (spec_.nesterov ? g + spec_.momentum * velocity_[i] : velocity_[i]);
    }
    packed_ = false;
  }

 private:
  // Building: parameters are taken in the order in which PyTorch lists those of the module.

  size_t take(size_t n) {
    const size_t at = parameters_.size();
    parameters_.resize(at + n);
    gradients_.resize(at + n);
    return at;
  }

  Node* node(int stage, bool keeps_x = true) {
    nodes_.push_back(std::make_unique<Node>(sizes_[stage], spec_.channels << stage, chunks_, keeps_x));
    return nodes_.back().get();
  }

  Branch& branch(Sum& sum, Kind kind, Node* source) {
    sum.branches.push_back(std::make_unique<Branch>());
    Branch& made = *sum.branches.back();
    made.kind = kind;
    made.source = source;
    made.out = sum.target->channels;
    made.in = source ? source->channels : made.out;
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
    b.z = Buffer(chunks_ * target.chunk());
    b.packed = Buffer(weights);
    b.packed_back = Buffer(weights);
    b.sums = Buffer(weights * WIDTH);
    b.plan = WeightPlan(g, TILE_OUT);
  }

  void build(const Edge* edges) {
    images_ = Buffer(static_cast<size_t>(chunks_) * sizes_[0] * sizes_[0] * spec_.inputs * LANES);
    Node* current = node(0);
    sums_.push_back({current, {}});
    Branch& stem = branch(sums_.back(), Kind::STEM, nullptr);
    stem.in = spec_.inputs;
    add_convolution(stem, *current, conv3_[0], nullptr);
    add_norm(stem);
    for (int stage = 0; stage < 3; stage++) {
      if (stage) current = build_reduction(current, stage);
      for (int i = 0; i < spec_.cells; i++) current = build_cell(current, stage, edges);
    }
    Node* last = node(2, false);
    sums_.push_back({last, {}});
    add_norm(branch(sums_.back(), Kind::NORM, current));
    const size_t features = static_cast<size_t>(last->channels);
    classifier_ = take(features * spec_.classes);
    bias_ = take(spec_.classes);
    features_ = Buffer(features * LANES);
    scratch_ = Buffer(largest_chunk());
    other_scratch_ = Buffer(largest_chunk());
  }

  Node* build_cell(Node* input, int stage, const Edge* edges) {
    std::vector<Node*> nodes{input};
    for (int target = 1; target < spec_.nodes; target++) {
      Node* made = node(stage);
      nodes.push_back(made);
      Sum sum{made, {}};
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
          b.z = Buffer(chunks_ * made->chunk());
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
      }
      sums_.push_back(std::move(sum));
    }
    return nodes.back();
  }

  Node* build_reduction(Node* input, int stage) {
    Node* inner = node(stage, false);
    sums_.push_back({inner, {}});
    Branch& a = branch(sums_.back(), Kind::CONVOLUTION, input);
    add_convolution(a, *inner, strided_[stage], &strided_back_[stage]);
    add_norm(a);
    Node* made = node(stage);
    sums_.push_back({made, {}});
    Branch& b = branch(sums_.back(), Kind::CONVOLUTION, inner);
    add_convolution(b, *made, conv3_[stage], &conv3_back_[stage]);
    add_norm(b);
    Branch& shortcut = branch(sums_.back(), Kind::DOWN, input);
    shortcut.pooling = &down_[stage];
    shortcut.pooling_back = &down_back_[stage];
    shortcut.pooled = Buffer(static_cast<size_t>(chunks_) * made->pixels() * input->channels * LANES);
    add_convolution(shortcut, *made, conv1_[stage], &conv1_back_[stage]);
    return made;
  }

  size_t largest_chunk() const {
    size_t most = 0;
    for (auto& made : nodes_) most = std::max(most, made->chunk());
    return most;
  }

  const float* mask(int chunk) const { return chunk == used_ - 1 && n_ % LANES ? mask_.data() : nullptr; }

  // Forward.

  void pack_all() {
    for (auto& sum : sums_)
      for (auto& b : sum.branches)
        if (b->geometry) {
          const float* w = &parameters_[b->weights];
          pack(w, b->out, b->in, b->taps, false, b->packed.data());
          if (b->back) pack(w, b->out, b->in, b->taps, true, b->packed_back.data());
        }
    packed_ = true;
  }

  const float* input_of(const Branch& b, int chunk) const {
    if (b.kind == Kind::STEM)
      return images_.data() + static_cast<size_t>(chunk) * b.geometry->inputs * b.in * LANES;
    if (b.kind == Kind::DOWN)
      return b.pooled.data() + static_cast<size_t>(chunk) * b.pooling->outputs * b.in * LANES;
    return b.source->relu.data() + chunk * b.source->chunk();
  }

  void forward(Sum& sum, bool training) {
    if (!packed_) pack_all();
    const Node& target = *sum.target;
    std::vector<Term> terms;
    for (auto& b : sum.branches) {
      for (int k = 0; k < used_; k++) {
        float* z = b->z.data() ? b->z.data() + k * target.chunk() : nullptr;
        if (b->kind == Kind::POOL)
          pool(*b->pooling, b->source->x.data() + k * b->source->chunk(), b->out, z, false);
        if (b->kind == Kind::DOWN)
          pool(*b->pooling, b->source->x.data() + k * b->source->chunk(), b->in,
               const_cast<float*>(input_of(*b, k)), false);
        if (b->geometry)
          convolve<Store::SET>(input_of(*b, k), b->in, z, b->out, b->packed.data(), *b->geometry);
      }
      Term term;
      if (b->kind == Kind::SHIFT) term.shift = &parameters_[b->weights];
      else term.z = b->z.data() ? b->z.data() : b->source->x.data();
      if (b->normalized) {
        normalize(*b, term.z, target, training);
        term.mean = training ? b->norm.mean.data() : b->norm.running_mean.data();
        term.scale = b->norm.scale.data();
        term.shift = &parameters_[b->norm.gamma + b->out];
      }
      terms.push_back(term);
    }
    for (int k = 0; k < used_; k++)
      sum_terms(terms.data(), static_cast<int>(terms.size()), k * target.chunk(), target.pixels(),
                target.channels, target.x.data(), target.relu.data());
    sum.target->has_gradient = false;
  }

  // The statistics of a batch, two passes over it, or the running ones.
  void normalize(Branch& b, const float* z, const Node& target, bool training) {
    BatchNorm& norm = b.norm;
    const float* gamma = &parameters_[norm.gamma];
    const double n = static_cast<double>(n_) * target.pixels();
    if (training) {
      std::vector<double> sums(b.out), residues(b.out), squares(b.out);
      for (int k = 0; k < used_; k++)
        channel_sums<false>(z + k * target.chunk(), nullptr, nullptr, nullptr, mask(k),
                            target.pixels(), b.out, sums.data(), nullptr);
      for (int c = 0; c < b.out; c++) norm.mean[c] = static_cast<float>(sums[c] / n);
      for (int k = 0; k < used_; k++)
        channel_sums<true>(z + k * target.chunk(), norm.mean.data(), z + k * target.chunk(),
                           norm.mean.data(), mask(k), target.pixels(), b.out, residues.data(),
                           squares.data());
      for (int c = 0; c < b.out; c++) {
        const double variance = squares[c] / n;
        norm.inverse[c] = static_cast<float>(1 / std::sqrt(variance + 1e-5));
        norm.running_mean[c] += 0.1f * (norm.mean[c] - norm.running_mean[c]);
        const float unbiased = static_cast<float>(variance * n / (n - 1));
        norm.running_variance[c] += 0.1f * (unbiased - norm.running_variance[c]);
      }
    }
    for (int c = 0; c < b.out; c++)
      norm.scale[c] = gamma[c] * (training ? norm.inverse[c]
                                           : 1 / std::sqrt(norm.running_variance[c] + 1e-5f));
  }

  // The classifier and the loss; in training, the gradient to the last node.
  void head(const int32_t* labels, bool training, float smoothing, double* loss, int* correct) {
    Node& last = *sums_.back().target;
    const int features = last.channels, classes = spec_.classes;
    const float* w = &parameters_[classifier_];
    const float* bias = &parameters_[bias_];
    float *dw = &gradients_[classifier_], *db = &gradients_[bias_];
    if (training) {
      std::memset(dw, 0, sizeof(float) * features * classes);
      std::memset(db, 0, sizeof(float) * classes);
    }
    *loss = 0;
    *correct = 0;
    std::vector<float> logits(static_cast<size_t>(classes) * LANES), slope(features * LANES);
    for (int k = 0; k < used_; k++) {
      const float* r = last.relu.data() + k * last.chunk();
      features_.clear();
      for (int p = 0; p < last.pixels(); p++)
        add_to(r + static_cast<size_t>(p) * features * LANES, features * LANES, features_.data(), true);
      const float share = 1.0f / last.pixels();
      for (int i = 0; i < features * LANES; i++) features_.data()[i] *= share;
      for (int c = 0; c < classes; c++)
        for (int lane = 0; lane < LANES; lane++) logits[c * LANES + lane] = bias[c];
      for (int c = 0; c < classes; c++)
        for (int f = 0; f < features; f++)
          for (int lane = 0; lane < LANES; lane++)
            logits[c * LANES + lane] += w[c * features + f] * features_.data()[f * LANES + lane];
      for (int lane = 0; lane < LANES; lane++)
        answer(labels, k * LANES + lane, &logits[lane], training, smoothing, loss, correct);
      if (!training) continue;
      // The logits now hold the loss's slope at each of them.
      std::fill(slope.begin(), slope.end(), 0.0f);
      for (int c = 0; c < classes; c++)
        for (int lane = 0; lane < LANES; lane++) {
          const float g = logits[c * LANES + lane];
          db[c] += g;
          for (int f = 0; f < features; f++) {
            dw[c * features + f] += g * features_.data()[f * LANES + lane];
            slope[f * LANES + lane] += g * w[c * features + f] * share;
          }
        }
      float* gradient = last.gradient.data() + k * last.chunk();
      for (size_t i = 0; i < last.chunk(); i++)
        gradient[i] = r[i] > 0 ? slope[i % (static_cast<size_t>(features) * LANES)] : 0.0f;
    }
    *loss /= n_;
    last.has_gradient = true;
  }

  // One image's loss and answer; in training its logits become the loss's slope.
  void answer(const int32_t* labels, int image, float* logits, bool training, float smoothing,
              double* loss, int* correct) const {
    const int classes = spec_.classes;
    if (image >= n_) {
      for (int c = 0; c < classes; c++) logits[c * LANES] = 0;
      return;
    }
    int best = 0;
    for (int c = 1; c < classes; c++)
      if (logits[c * LANES] > logits[best * LANES]) best = c;
    *correct += best == labels[image];
    double total = 0;
    const double top = logits[best * LANES];
    for (int c = 0; c < classes; c++) total += std::exp(logits[c * LANES] - top);
    for (int c = 0; c < classes; c++) {
      const double log_p = logits[c * LANES] - top - std::log(total);
      const double wanted = smoothing / classes + (c == labels[image] ? 1 - smoothing : 0);
      if (wanted > 0 || log_p != log_p) *loss -= wanted * log_p;
      if (training) logits[c * LANES] = static_cast<float>((std::exp(log_p) - wanted) / n_);
    }
  }

  // Backward: the target's gradient is whole; it goes on to the sources of its branches.

  void backward(Sum& sum) {
    Node& target = *sum.target;
    for (auto& b : sum.branches) {
      Node* source = b->source;
      const bool add = source && source->has_gradient;
      if (b->kind == Kind::SHIFT) {
        backward_shift(*b, target);
      } else if (b->kind == Kind::SKIP) {
        if (target.has_gradient) add_to(target.gradient.data(), used_ * target.chunk(), source->gradient.data(), add);
      } else if (b->kind == Kind::POOL) {
        for (int k = 0; k < used_; k++)
          pool(*b->pooling_back, target.gradient.data() + k * target.chunk(), b->out,
               source->gradient.data() + k * source->chunk(), add);
      } else {
        backward_weighted(*b, target, add);
      }
      if (source) source->has_gradient = true;
    }
  }

  void backward_shift(Branch& b, const Node& target) {
    std::vector<double> sums(b.out);
    for (int k = 0; k < used_; k++)
      channel_sums<false>(target.gradient.data() + k * target.chunk(), nullptr, nullptr, nullptr,
                          nullptr, target.pixels(), b.out, sums.data(), nullptr);
    for (int c = 0; c < b.out; c++) gradients_[b.weights + c] = static_cast<float>(sums[c]);
  }

  void backward_weighted(Branch& b, const Node& target, bool add) {
    const float* z = b.z.data() ? b.z.data() : b.source->x.data();
    std::vector<float> a(b.out), bb(b.out), d(b.out);
    if (b.normalized) {
      std::vector<double> sums(b.out), products(b.out);
      for (int k = 0; k < used_; k++)
        channel_sums<true>(target.gradient.data() + k * target.chunk(), nullptr,
                           z + k * target.chunk(), b.norm.mean.data(), nullptr, target.pixels(),
                           b.out, sums.data(), products.data());
      const double n = static_cast<double>(n_) * target.pixels();
      for (int c = 0; c < b.out; c++) {
        const double inverse = b.norm.inverse[c], gamma = parameters_[b.norm.gamma + c];
        gradients_[b.norm.gamma + c] = static_cast<float>(products[c] * inverse);
        gradients_[b.norm.gamma + b.out + c] = static_cast<float>(sums[c]);
        a[c] = static_cast<float>(gamma * inverse);
        bb[c] = static_cast<float>(-gamma * inverse * inverse * inverse * products[c] / n);
        d[c] = static_cast<float>(-gamma * inverse * sums[c] / n);
      }
    }
    b.sums.clear();
    for (int k = 0; k < used_; k++) {
      const float* dz = target.gradient.data() + k * target.chunk();
      if (b.normalized) {
        float* to = b.kind == Kind::NORM && !add ? b.source->gradient.data() + k * target.chunk() : scratch_.data();
        normalize_backward(dz, z + k * target.chunk(), b.norm.mean.data(), a.data(), bb.data(),
                           d.data(), mask(k), target.pixels(), b.out, to);
        dz = to;
      }
      if (b.kind == Kind::NORM) {
        if (add) add_to(dz, target.chunk(), b.source->gradient.data() + k * target.chunk(), true);
        continue;
      }
      weight_gradient(input_of(b, k), b.in, dz, b.out, b.taps, b.plan, b.sums.data());
      if (b.kind == Kind::STEM) continue;
      float* gradient = b.source->gradient.data() + k * b.source->chunk();
      if (b.kind == Kind::DOWN) {
        convolve<Store::SET>(dz, b.out, other_scratch_.data(), b.in, b.packed_back.data(), *b.back);
        pool(*b.pooling_back, other_scratch_.data(), b.in, gradient, add);
        continue;
      }
      const float* gate = b.source->relu.data() + k * b.source->chunk();
      if (add) convolve<Store::ADD_GATED>(dz, b.out, gradient, b.in, b.packed_back.data(), *b.back, gate);
      else convolve<Store::GATE>(dz, b.out, gradient, b.in, b.packed_back.data(), *b.back, gate);
    }
    if (b.geometry)
      finish_weight_gradient(b.sums.data(), b.in, b.out, b.taps, &gradients_[b.weights]);
  }

  Spec spec_;
  int chunks_, used_ = 0, n_ = 0;
  int sizes_[3];
  Geometry conv1_[3], conv3_[3], strided_[3], conv1_back_[3], conv3_back_[3], strided_back_[3];
  Pooling pool_[3], pool_back_[3], down_[3], down_back_[3];
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<Sum> sums_;
  std::vector<float> parameters_, gradients_, velocity_;
  size_t classifier_ = 0, bias_ = 0;
  Buffer images_, features_, scratch_, other_scratch_, mask_;
  bool packed_ = false;
};
