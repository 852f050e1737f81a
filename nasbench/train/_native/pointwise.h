// Everything between convolutions: sums, BatchNorm, ReLU and pooling, a chunk at a time.
#pragma once
#include <cmath>
#include <vector>

#include "convolution.h"

// One term of a sum: (z - mean) * scale + shift by channel; a skip has no coefficients.
struct Term {
  const float* z = nullptr;
  const float *mean = nullptr, *scale = nullptr, *shift = nullptr;
};

// x = the sum of the terms, and r = ReLU(x) where asked for; one chunk of pixels x channels.
inline void sum_terms(const Term* terms, int n, size_t offset, int pixels, int channels, float* x,
                      float* r) {
  for (int p = 0; p < pixels; p++)
    for (int c = 0; c < channels; c++) {
      const size_t at = offset + (static_cast<size_t>(p) * channels + c) * LANES;
      Vector sum[VECTORS] = {};
      for (int t = 0; t < n; t++) {
        const Term& term = terms[t];
        if (!term.z) {  // a shift: the same everywhere
          const Vector shift = broadcast(term.shift[c]);
          UNROLL for (int v = 0; v < VECTORS; v++) sum[v] += shift;
        } else if (!term.scale) {
          UNROLL for (int v = 0; v < VECTORS; v++) sum[v] += load(term.z + at + v * WIDTH);
        } else {
          const Vector mean = broadcast(term.mean[c]), scale = broadcast(term.scale[c]);
          const Vector shift = broadcast(term.shift[c]);
          UNROLL for (int v = 0; v < VECTORS; v++)
            sum[v] += (load(term.z + at + v * WIDTH) - mean) * scale + shift;
        }
      }
      UNROLL for (int v = 0; v < VECTORS; v++) {
        if (x) store(x + at + v * WIDTH, sum[v]);
        if (r) store(r + at + v * WIDTH, relu(sum[v]));
      }
    }
}

// Sums over pixels and images of up to two products, by channel, added to `first` and `second`
// [channels]: of (a - mean) masked, and of (a - mean) * (b - other) masked. `mask` is 1 for the
// lanes that hold an image; null where all do.
template <bool PRODUCT>
void channel_sums(const float* a, const float* mean, const float* b, const float* other,
                  const float* mask, int pixels, int channels, double* first, double* second) {
  for (int c = 0; c < channels; c++) {
    Vector sum[VECTORS] = {}, product[VECTORS] = {};
    const Vector m = broadcast(mean ? mean[c] : 0), o = broadcast(other ? other[c] : 0);
    for (int p = 0; p < pixels; p++) {
      const size_t at = (static_cast<size_t>(p) * channels + c) * LANES;
      UNROLL for (int v = 0; v < VECTORS; v++) {
        Vector value = load(a + at + v * WIDTH) - m;
        if (mask) value *= load(mask + v * WIDTH);
        sum[v] += value;
        if (PRODUCT) product[v] += value * (load(b + at + v * WIDTH) - o);
      }
    }
    for (int v = 0; v < VECTORS; v++) {
      first[c] += horizontal_sum(sum[v]);
      if (PRODUCT) second[c] += horizontal_sum(product[v]);
    }
  }
}

// dz = (dy * a + (z - mean) * b + d) * mask, coefficients by channel.
inline void normalize_backward(const float* dy, const float* z, const float* mean, const float* a,
                               const float* b, const float* d, const float* mask, int pixels,
                               int channels, float* dz) {
  for (int p = 0; p < pixels; p++)
    for (int c = 0; c < channels; c++) {
      const size_t at = (static_cast<size_t>(p) * channels + c) * LANES;
      const Vector m = broadcast(mean[c]), aa = broadcast(a[c]), bb = broadcast(b[c]);
      const Vector dd = broadcast(d[c]);
      UNROLL for (int v = 0; v < VECTORS; v++) {
        Vector value = load(dy + at + v * WIDTH) * aa + ((load(z + at + v * WIDTH) - m) * bb + dd);
        if (mask) value *= load(mask + v * WIDTH);
        store(dz + at + v * WIDTH, value);
      }
    }
}

// A pooling as lists: every output pixel is a weighted sum of input pixels.
struct Pooling {
  struct Entry {
    int source;
    float weight;
  };
  int inputs = 0, outputs = 0;
  std::vector<std::vector<Entry>> lists;

  Pooling backward() const {
    Pooling other;
    other.inputs = outputs;
    other.outputs = inputs;
    other.lists.resize(inputs);
    for (int p = 0; p < outputs; p++)
      for (auto& e : lists[p]) other.lists[e.source].push_back({p, e.weight});
    return other;
  }
};

// Means over windows of `kernel` pixels, padding not counted; windows may stick out at the end.
inline Pooling mean_pooling(int size, int kernel, int stride, int pad) {
  const int out = strided(size, stride);
  Pooling pooling;
  pooling.inputs = size * size;
  pooling.outputs = out * out;
  pooling.lists.resize(pooling.outputs);
  for (int y = 0; y < out; y++)
    for (int x = 0; x < out; x++) {
      auto& list = pooling.lists[y * out + x];
      for (int i = 0; i < kernel; i++)
        for (int j = 0; j < kernel; j++) {
          const int yy = y * stride + i - pad, xx = x * stride + j - pad;
          if (yy >= 0 && yy < size && xx >= 0 && xx < size) list.push_back({yy * size + xx, 0});
        }
      for (auto& e : list) e.weight = 1.0f / static_cast<float>(list.size());
    }
  return pooling;
}

inline void pool(const Pooling& pooling, const float* x, int channels, float* y, bool add) {
  const size_t row = static_cast<size_t>(channels) * LANES;
  for (int p = 0; p < pooling.outputs; p++) {
    auto& list = pooling.lists[p];
    float* to = y + p * row;
    for (size_t k = 0; k < row; k += WIDTH) {
      Vector sum = add ? load(to + k) : Vector{};
      for (auto& e : list) sum += load(x + e.source * row + k) * broadcast(e.weight);
      store(to + k, sum);
    }
  }
}

inline void add_to(const float* x, size_t n, float* y, bool add) {
  for (size_t k = 0; k < n; k += WIDTH)
    store(y + k, add ? load(y + k) + load(x + k) : load(x + k));
}
