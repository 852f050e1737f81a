// A cell network's passes: forward, backward, one step of SGD.
//
// A batch is chunks of LANES images. Its tensors outgrow the second cache, so each pass over them
// begins with the chunk that the pass before ended with, and does all that it can to a chunk
// before it goes to the next.
#pragma once
#include <cmath>

#include "head.h"
#include "layers.h"

class Network : public Layers {
  static constexpr size_t STRIP = 16 << 10;  // bytes of a tensor, few enough for the first cache

 public:
  Network(const Spec& spec, const Edge* edges)
      : Layers(spec, edges),
        head_(spec.classes, *sums_.back().target),
        mask_(arena_.take(LANES)) {
    size_t largest = 0, whole = 0;
    for (auto& made : nodes_) largest = std::max(largest, made->chunk());
    for (auto& sum : sums_)
      for (auto& b : sum.branches)
        if (b->plan.whole) whole = std::max(whole, chunks_ * sum.target->chunk());
    slope_ = arena_.take(std::max(largest, whole));
    wide_slope_ = arena_.take(largest);
    zeros_.assign(sums_.back().target->channels, 0.0f);
    ones_.assign(zeros_.size(), 1.0f);
    velocity_.assign(parameters_.size(), 0.0f);
  }

  // Mean loss and correct answers of a batch of n images, and, in training, the gradients.
  // `labels` are the images', `smoothing` the share of the target spread over all classes.
  void pass(const int32_t* labels, int n, bool training, float smoothing, double* loss,
            int* correct) {
    look(n, training);
    head_.answer(&parameters_[classifier_], &parameters_[bias_], labels, n, smoothing, loss,
                 correct);
    if (!training) return;
    head_.backward(&parameters_[classifier_], n, &gradients_[classifier_], &gradients_[bias_]);
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

 protected:
  // Forward all sums of a batch of n images.
  void look(int n, bool training) {
    n_ = n;
    used_ = (n + LANES - 1) / LANES;
    for (int i = 0; i < LANES; i++)
      mask_.data()[i] = (used_ - 1) * LANES + i < n ? 1.0f : 0.0f;
    if (!packed_) pack_all();
    for (auto& sum : sums_) forward(sum, training);
  }

  static constexpr float SHARE = 0.1f;  // of a batch in the running statistics
  float share_ = SHARE;
  Head head_;
  bool packed_ = false;

 private:
  // Which lanes of a chunk hold images; null where all do.
  const float* mask(int k) const { return k == used_ - 1 && n_ % LANES ? mask_.data() : nullptr; }

  void pack_all() {
    for (auto& sum : sums_)
      for (Branch* b : sum.live)
        if (b->geometry) {
          const float* w = &parameters_[b->weights];
          pack(w, b->out, b->in, b->taps, false, b->packed.data());
          if (b->back) pack(w, b->out, b->in, b->taps, true, b->packed_back.data());
        }
    packed_ = true;
  }

  // What a convolution reads.
  float* input_of(const Branch& b, int k) const {
    if (b.kind == Kind::STEM)
      return images_.data() + static_cast<size_t>(k) * b.geometry->inputs * b.in * LANES;
    if (b.kind == Kind::DOWN)
      return b.pooled.data() + static_cast<size_t>(k) * b.pooling->outputs * b.in * LANES;
    return b.source->relu.data() + k * b.source->chunk();
  }

  // What a branch gives before BatchNorm; null for a shift. Backward reads what convolutions give.
  static float* output_of(const Branch& b, bool training) {
    if (b.kind == Kind::SHIFT) return nullptr;
    if (b.geometry && training) return b.z.data();
    return b.passing.data() ? b.passing.data() : b.source->x.data();
  }

  // Forward.

  void forward(Sum& sum, bool training) {
    const Node& target = *sum.target;
    for (int k = 0; k < used_ && training; k++)
      for (Branch* b : sum.live) {
        if (b->geometry) compute(*b, target, k, {0, target.size}, training);
        if (b->normalized)
          add_moments(*b, output_of(*b, training) + k * target.chunk(), target.pixels(), k);
      }
    shift_.assign(target.channels, 0);
    for (Branch* b : sum.live) {
      if (b->normalized) normalize(b->norm, static_cast<double>(n_) * target.pixels(), training);
      const float* shift = shift_of(*b);
      for (int c = 0; shift && c < target.channels; c++) shift_[c] += shift[c];
    }
    for (int k = used_ - 1; k >= 0; k--) {
      terms_.clear();
      for (Branch* b : sum.live) add_term(*b, k * target.chunk(), training);
      finish_chunk(sum, k, training);
    }
    sum.target->has_gradient = false;
  }

  // The sum of a chunk's terms, in strips of rows: what no batch's statistics wait for is computed
  // here, and added up while it is in the first cache.
  void finish_chunk(const Sum& sum, int k, bool training) const {
    const Node& target = *sum.target;
    const size_t row = target.chunk() / target.size * sizeof(float);
    const int rows = std::max(1, static_cast<int>(STRIP / row));
    for (int begin = 0; begin < target.size; begin += rows) {
      const int end = std::min(begin + rows, target.size);
      for (Branch* b : sum.live)
        if (!(b->geometry && training)) compute(*b, target, k, {begin, end}, training);
      sum_terms(terms_, shift_.data(), target.pixels(), target.channels, begin * target.size,
                end * target.size, target.reads_x ? target.x.data() + k * target.chunk() : nullptr,
                target.reads_relu ? target.relu.data() + k * target.chunk() : nullptr);
    }
  }

  // What a branch adds to each channel; null where nothing.
  const float* shift_of(const Branch& b) const {
    if (b.kind == Kind::SHIFT) return &parameters_[b.weights];
    return b.normalized ? &parameters_[b.norm.gamma + b.out] : nullptr;
  }

  void add_term(const Branch& b, size_t at, bool training) {
    if (b.kind == Kind::SHIFT) return;
    const BatchNorm& norm = b.norm;
    const std::vector<float>& mean = training ? norm.mean : norm.running_mean;
    terms_.push_back({output_of(b, training) + at, b.normalized ? mean.data() : zeros_.data(),
                      b.normalized ? norm.scale.data() : ones_.data()});
  }

  void compute(const Branch& b, const Node& target, int k, Rows rows, bool training) const {
    if (!b.pooling && !b.geometry) return;
    float* z = output_of(b, training) + k * target.chunk();
    if (b.pooling) {
      const float* x = b.source->x.data() + k * b.source->chunk();
      pool(*b.pooling, x, b.in, b.kind == Kind::DOWN ? input_of(b, k) : z, false,
           rows.begin * target.size, rows.end * target.size);
    }
    if (b.geometry)
      convolve<Store::SET>(input_of(b, k), b.in, z, b.out, b.packed.data(), *b.geometry, rows);
  }

  void add_moments(Branch& b, const float* z, int pixels, int k) const {
    BatchNorm& norm = b.norm;
    if (!k) {
      // What LANES images have at one pixel is near enough to the mean.
      channel_means(z, mask(k), pixels, pixels / 2, b.out, std::min(n_, LANES),
                    norm.pivot.data());
      norm.first.assign(b.out, 0);
      norm.second.assign(b.out, 0);
    }
    channel_sums<true>(z, norm.pivot.data(), z, norm.pivot.data(), mask(k), pixels, b.out,
                       norm.first.data(), norm.second.data());
  }

  // The statistics of the batch's n values a channel, or the running ones.
  void normalize(BatchNorm& norm, double n, bool training) const {
    const float* gamma = &parameters_[norm.gamma];
    for (size_t c = 0; c < norm.mean.size(); c++) {
      if (training) {
        const double off = norm.first[c] / n;
        // Not by std::max, which would hide a NaN.
        double variance = norm.second[c] / n - off * off;
        if (variance < 0) variance = 0;
        norm.mean[c] = static_cast<float>(norm.pivot[c] + off);
        norm.inverse[c] = static_cast<float>(1 / std::sqrt(variance + 1e-5));
        norm.running_mean[c] += share_ * (norm.mean[c] - norm.running_mean[c]);
        const float unbiased = static_cast<float>(variance * n / (n - 1));
        norm.running_variance[c] += share_ * (unbiased - norm.running_variance[c]);
      }
      norm.scale[c] = gamma[c] * (training ? norm.inverse[c]
                                           : 1 / std::sqrt(norm.running_variance[c] + 1e-5f));
    }
  }

  // Backward: the target's gradient is whole; it goes on to the sources of its branches.

  void backward(Sum& sum) {
    Node& target = *sum.target;
    if (!target.has_gradient) return;  // nothing reads it
    for (Branch* b : sum.live) {
      if (b->sums.data()) b->sums.clear();
      b->norm.first.assign(b->out, 0);
      b->norm.second.assign(b->out, 0);
      if (!b->source) continue;
      b->adds = b->source->has_gradient;
      b->source->has_gradient = true;
    }
    for (int k = used_ - 1; k >= 0; k--)
      for (Branch* b : sum.live) add_slopes(*b, target, k);
    for (Branch* b : sum.live) finish_slopes(*b, target);
    // Branches of a sum have different sources: their order does not matter.
    for (Branch* b : sum.live) {
      if (!b->plan.whole) continue;
      for (int k = 0; k < used_; k++) pass_back(*b, target, k);
      const float* dz = b->normalized ? slope_.data() : target.gradient.data();
      whole_weight_gradient(input_of(*b, 0), b->in, dz, b->out, used_, *b->geometry, b->plan,
                            &gradients_[b->weights]);
    }
    for (int k = 0; k < used_; k++)
      for (Branch* b : sum.live)
        if (!b->plan.whole) pass_back(*b, target, k);
    for (Branch* b : sum.live)
      if (b->sums.data())
        finish_weight_gradient(b->sums.data(), b->in, b->out, b->taps, &gradients_[b->weights]);
  }

  // What gamma, beta or a shift do to the loss.
  void add_slopes(Branch& b, const Node& target, int k) const {
    if (!b.normalized && b.kind != Kind::SHIFT) return;
    const float* dy = target.gradient.data() + k * target.chunk();
    BatchNorm& norm = b.norm;
    if (b.normalized)
      channel_sums<true>(dy, zeros_.data(), output_of(b, true) + k * target.chunk(),
                         norm.mean.data(), nullptr, target.pixels(), b.out, norm.first.data(),
                         norm.second.data());
    else
      channel_sums<false>(dy, zeros_.data(), nullptr, nullptr, nullptr, target.pixels(), b.out,
                          norm.first.data(), nullptr);
  }

  void finish_slopes(Branch& b, const Node& target) {
    BatchNorm& norm = b.norm;
    const double n = static_cast<double>(n_) * target.pixels();
    for (int c = 0; c < b.out; c++) {
      const float slope = static_cast<float>(norm.first[c]);
      if (b.kind == Kind::SHIFT) gradients_[b.weights + c] = slope;
      if (!b.normalized) continue;
      const double inverse = norm.inverse[c], gamma = parameters_[norm.gamma + c];
      gradients_[norm.gamma + c] = static_cast<float>(norm.second[c] * inverse);
      gradients_[norm.gamma + b.out + c] = slope;
      norm.a[c] = static_cast<float>(gamma * inverse);
      norm.b[c] = static_cast<float>(-gamma * inverse * inverse * inverse * norm.second[c] / n);
      norm.d[c] = static_cast<float>(-gamma * inverse * norm.first[c] / n);
    }
  }

  void pass_back(Branch& b, const Node& target, int k) {
    const float* dy = target.gradient.data() + k * target.chunk();
    float* to = b.source ? b.source->gradient.data() + k * b.source->chunk() : nullptr;
    if (b.kind == Kind::SHIFT) return;
    if (b.kind == Kind::SKIP) return add_to(dy, target.chunk(), to, b.adds);
    if (b.kind == Kind::POOL) return pool(*b.pooling_back, dy, b.out, to, b.adds);
    const float* dz = dy;
    if (b.normalized) {
      const BatchNorm& norm = b.norm;
      float* to_dz = slope_.data() + (b.plan.whole ? k * target.chunk() : 0);
      normalize_backward(dy, output_of(b, true) + k * target.chunk(), norm.mean.data(),
                         norm.a.data(), norm.b.data(), norm.d.data(), mask(k), target.pixels(),
                         b.out, to_dz);
      dz = to_dz;
    }
    if (b.kind == Kind::NORM) return add_to(dz, target.chunk(), to, b.adds);
    if (!b.plan.whole)
      add_weight_gradient(input_of(b, k), b.in, dz, b.out, *b.geometry, b.plan, b.sums.data());
    if (b.kind == Kind::STEM) return;
    const float* w = b.packed_back.data();
    if (b.kind == Kind::DOWN) {
      convolve<Store::SET>(dz, b.out, wide_slope_.data(), b.in, w, *b.back, b.back->all());
      return pool(*b.pooling_back, wide_slope_.data(), b.in, to, b.adds);
    }
    const float* gate = b.source->relu.data() + k * b.source->chunk();
    const Rows all = b.back->all();
    if (b.adds) convolve<Store::ADD_GATED>(dz, b.out, to, b.in, w, *b.back, all, gate);
    else convolve<Store::GATE>(dz, b.out, to, b.in, w, *b.back, all, gate);
  }

  Array mask_, slope_, wide_slope_;
  std::vector<float> velocity_;
  std::vector<float> zeros_, ones_;  // by channel
  std::vector<Term> terms_;
  std::vector<float> shift_;
  int used_ = 0, n_ = 0;
};
