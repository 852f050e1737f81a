// The classifier on the means of the last node's channels, the loss and its gradient.
#pragma once
#include <cmath>

#include "layers.h"

class Head {
 public:
  Head(int classes, Node& last) : classes_(classes), last_(last) {
    const size_t chunks = last.gradient.size() / last.chunk();
    features_ = arena_.take(chunks * last.channels * LANES);
    slopes_ = arena_.take(chunks * classes * LANES);
    back_ = arena_.take(static_cast<size_t>(last.channels) * LANES);
  }

  // Mean loss and correct answers of n images. The loss's slopes to the logits are kept.
  void answer(const float* w, const float* bias, const int32_t* labels, int n, float smoothing,
              double* loss, int* correct) {
    const int features = last_.channels;
    const float share = 1.0f / static_cast<float>(last_.pixels());
    *loss = 0;
    *correct = 0;
    for (int k = 0; k * LANES < n; k++) {
      const float* r = last_.relu.data() + k * last_.chunk();
      float* mean = features_.data() + k * row();
      each_group(last_.pixels(), features, [&](auto size, int f, size_t at, size_t step) {
        for (int i = 0; i < size * LANES; i += WIDTH) {
          Vector sum{};
          for (int p = 0; p < last_.pixels(); p++) sum += load(r + at + p * step + i);
          store(mean + f * LANES + i, sum * broadcast(share));
        }
      });
      float* logits = slopes_.data() + static_cast<size_t>(k) * classes_ * LANES;
      for (int c = 0; c < classes_; c++)
        for (int v = 0; v < LANES; v += WIDTH) {
          Vector sum = broadcast(bias[c]);
          for (int f = 0; f < features; f++)
            sum += broadcast(w[c * features + f]) * load(mean + f * LANES + v);
          store(logits + c * LANES + v, sum);
        }
      for (int lane = 0; lane < LANES; lane++) {
        const int image = k * LANES + lane;
        if (image < n) answer_one(labels[image], n, smoothing, logits + lane, loss, correct);
        else
          for (int c = 0; c < classes_; c++) logits[c * LANES + lane] = 0;
      }
    }
    *loss /= n;
  }

  // The gradients to weights, bias and the last node, of the n images that were answered.
  void backward(const float* w, int n, float* dw, float* dbias) {
    const int features = last_.channels;
    std::fill(dw, dw + static_cast<size_t>(classes_) * features, 0.0f);
    std::fill(dbias, dbias + classes_, 0.0f);
    const float share = 1.0f / static_cast<float>(last_.pixels());
    for (int k = 0; k * LANES < n; k++) {
      const float* mean = features_.data() + k * row();
      const float* slopes = slopes_.data() + static_cast<size_t>(k) * classes_ * LANES;
      back_.clear();
      for (int c = 0; c < classes_; c++) {
        Vector slope[VECTORS];
        UNROLL for (int v = 0; v < VECTORS; v++) {
          slope[v] = load(slopes + c * LANES + v * WIDTH);
          dbias[c] += horizontal_sum(slope[v]);
        }
        for (int f = 0; f < features; f++) {
          const Vector weight = broadcast(w[c * features + f] * share);
          Vector sum{};
          UNROLL for (int v = 0; v < VECTORS; v++) {
            sum += slope[v] * load(mean + f * LANES + v * WIDTH);
            float* to = back_.data() + f * LANES + v * WIDTH;
            store(to, load(to) + slope[v] * weight);
          }
          dw[c * features + f] += horizontal_sum(sum);
        }
      }
      const float* r = last_.relu.data() + k * last_.chunk();
      float* gradient = last_.gradient.data() + k * last_.chunk();
      each_group(last_.pixels(), features, [&](auto size, int f, size_t at, size_t step) {
        for (int p = 0; p < last_.pixels(); p++, at += step)
          for (int i = 0; i < size * LANES; i += WIDTH)
            store(gradient + at + i,
                  where_positive(load(back_.data() + f * LANES + i), load(r + at + i)));
      });
    }
    last_.has_gradient = true;
  }

 private:
  size_t row() const { return static_cast<size_t>(last_.channels) * LANES; }

  // One image's loss and answer; its logits, LANES apart, become the slopes of the mean loss.
  void answer_one(int label, int n, float smoothing, float* logits, double* loss,
                  int* correct) const {
    int best = 0;
    for (int c = 1; c < classes_; c++)
      if (logits[c * LANES] > logits[best * LANES]) best = c;
    *correct += best == label;
    double total = 0;
    const double top = logits[best * LANES];
    for (int c = 0; c < classes_; c++) total += std::exp(logits[c * LANES] - top);
    const double log_total = std::log(total);
    for (int c = 0; c < classes_; c++) {
      const double log_p = logits[c * LANES] - top - log_total;
      const double wanted = smoothing / classes_ + (c == label ? 1 - smoothing : 0);
      if (wanted > 0 || log_p != log_p) *loss -= wanted * log_p;
      logits[c * LANES] = static_cast<float>((std::exp(log_p) - wanted) / n);
    }
  }

  int classes_;
  Node& last_;
  Arena arena_;
  Array features_, slopes_, back_;
};
