// One set of weights for many networks: a cell whose edges hold several operations each, of which
// a path lets some run.
#pragma once
#include "network.h"

class PathNetwork : public Network {
 public:
  using Network::Network;

  // `runs` says for each edge of the cell whether it does. What does not run has no gradient.
  void select(const uint8_t* runs) {
    for (Sum& sum : sums_) {
      sum.live.clear();
      for (auto& b : sum.branches)
        if (b->edge < 0 || runs[b->edge]) sum.live.push_back(b.get());
    }
    std::fill(gradients_.begin(), gradients_.end(), 0.0f);
    packed_ = false;
  }

  void add_gradients(std::vector<float>& to) const {
    for (size_t i = 0; i < to.size(); i++) to[i] += gradients_[i];
  }

  // SGD by these gradients. All weights decay, also those off the path; where `trained` is 0 they
  // stay as they are.
  void move(const std::vector<float>& gradients, const uint8_t* trained, float rate,
            float* velocity) {
    const float momentum = spec_.momentum, decay = spec_.weight_decay;
    for (size_t i = 0; i < parameters_.size(); i++) {
      const float g = trained[i] ? gradients[i] + decay * parameters_[i] : 0.0f;
      velocity[i] = momentum * velocity[i] + g;
      parameters_[i] -= rate * (spec_.nesterov ? g + momentum * velocity[i] : velocity[i]);
    }
    packed_ = false;
  }

  // Mean loss and correct answers of n images, by their own statistics or by running ones.
  void score(const int32_t* labels, int n, bool by_batch, double* loss, int* correct) {
    look(n, by_batch);
    head_.answer(&parameters_[classifier_], &parameters_[bias_], labels, n, 0, loss, correct);
  }

  // Running statistics become those of n images.
  void recalibrate(int n) {
    for (Sum& sum : sums_)
      for (Branch* b : sum.live) {
        std::fill(b->norm.running_mean.begin(), b->norm.running_mean.end(), 0.0f);
        std::fill(b->norm.running_variance.begin(), b->norm.running_variance.end(), 0.0f);
      }
    share_ = 1.0f;
    look(n, true);
    share_ = SHARE;
  }

  // What `running_statistics` gave.
  void set_running_statistics(const float* from) {
    for (Sum& sum : sums_)
      for (auto& b : sum.branches) {
        if (!b->normalized) continue;
        const float* means = from + b->norm.gamma;
        std::copy(means, means + b->out, b->norm.running_mean.begin());
        std::copy(means + b->out, means + 2 * b->out, b->norm.running_variance.begin());
      }
  }
};
