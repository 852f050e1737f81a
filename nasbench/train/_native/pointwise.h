// Everything between convolutions: sums, BatchNorm, ReLU and pooling, a chunk at a time.
#pragma once
#include <cmath>
#include <vector>

#include "convolution.h"

// One term of a sum: (z - mean) * scale by channel.
struct Term {
  const float *z, *mean, *scale;
};

template <int N>  // 0: as many as `n` says
INLINE void sum_of_terms(const Term* terms, int n, const float* shift, int pixels, int channels,
                         float* x, float* relus) {
  const size_t row = static_cast<size_t>(channels) * LANES;
  for (size_t at = 0; at < pixels * row; at += row)
    for (int c = 0; c < channels; c++) {
      const size_t k = at + c * LANES;
      Vector sum[VECTORS];
      UNROLL for (int v = 0; v < VECTORS; v++) sum[v] = broadcast(shift[c]);
      UNROLL for (int t = 0; t < (N ? N : n); t++) {
        const Vector mean = broadcast(terms[t].mean[c]), scale = broadcast(terms[t].scale[c]);
        UNROLL for (int v = 0; v < VECTORS; v++)
          sum[v] += (load(terms[t].z + k + v * WIDTH) - mean) * scale;
      }
      if (x) UNROLL for (int v = 0; v < VECTORS; v++) store(x + k + v * WIDTH, sum[v]);
      if (!relus) continue;
      UNROLL for (int v = 0; v < VECTORS; v++) store(relus + k + v * WIDTH, relu(sum[v]));
    }
}

// One chunk of pixels x channels: x = the sum of the terms and of a shift by channel, and ReLU(x);
// either may be null.
inline void sum_terms(const std::vector<Term>& terms, const float* shift, int pixels, int channels,
                      float* x, float* relus) {
  const int n = static_cast<int>(terms.size());
  if (n == 1) sum_of_terms<1>(terms.data(), n, shift, pixels, channels, x, relus);
  else if (n == 2) sum_of_terms<2>(terms.data(), n, shift, pixels, channels, x, relus);
  else if (n == 3) sum_of_terms<3>(terms.data(), n, shift, pixels, channels, x, relus);
  else sum_of_terms<0>(terms.data(), n, shift, pixels, channels, x, relus);
}

// Channels whose sums are in registers at once.
constexpr int SUMMED = REGISTERS == 32 ? 4 : 2;

template <int CHANNELS, bool PRODUCT, bool MASKED>
INLINE void channel_sums_of(const float* a, const float* pivot, const float* b, const float* mean,
                            const float* mask, int pixels, size_t row, double* first,
                            double* second) {
  for (int v0 = 0; v0 < VECTORS; v0 += PAIR) {
    Vector sum[CHANNELS][PAIR] = {}, product[CHANNELS][PAIR] = {};
    for (size_t at = v0 * WIDTH; at < pixels * row; at += row)
      UNROLL for (int c = 0; c < CHANNELS; c++) UNROLL for (int v = 0; v < PAIR; v++) {
        const size_t k = at + c * LANES + v * WIDTH;
        Vector value = load(a + k) - broadcast(pivot[c]);
        if (MASKED) value *= load(mask + (v0 + v) * WIDTH);
        sum[c][v] += value;
        if (PRODUCT) product[c][v] += value * (load(b + k) - broadcast(mean[c]));
      }
    for (int c = 0; c < CHANNELS; c++)
      for (int v = 0; v < PAIR; v++) {
        first[c] += horizontal_sum(sum[c][v]);
        if (PRODUCT) second[c] += horizontal_sum(product[c][v]);
      }
  }
}

// Sums over the pixels and images of a chunk, by channel, added to `first` and `second`
// [channels]: of (a - pivot), and with PRODUCT of (a - pivot) (b - mean). `mask` is 1 for the
// lanes that hold an image; null where all do, or where a is 0 in the others.
template <bool PRODUCT>
void channel_sums(const float* a, const float* pivot, const float* b, const float* mean,
                  const float* mask, int pixels, int channels, double* first, double* second) {
  const size_t row = static_cast<size_t>(channels) * LANES;
  for (int c = 0, step; c < channels; c += step) {
    step = channels - c >= SUMMED ? SUMMED : 1;
    auto sum = [&](auto kernel) {
      kernel(a + c * LANES, pivot + c, b + c * LANES, mean + c, mask, pixels, row, first + c,
             second + c);
    };
    if (step == 1)
      sum(mask ? channel_sums_of<1, PRODUCT, true> : channel_sums_of<1, PRODUCT, false>);
    else
      sum(mask ? channel_sums_of<SUMMED, PRODUCT, true> : channel_sums_of<SUMMED, PRODUCT, false>);
  }
}

// The means of one pixel's channels over n images.
inline void channel_means(const float* z, const float* mask, int channels, int n, float* means) {
  for (int c = 0; c < channels; c++) {
    Vector sum{};
    for (int v = 0; v < LANES; v += WIDTH)
      sum += mask ? load(z + c * LANES + v) * load(mask + v) : load(z + c * LANES + v);
    means[c] = horizontal_sum(sum) / static_cast<float>(n);
  }
}

// dz = (a dy + b (z - mean) + d) * mask, the coefficients by channel.
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

template <int N>
INLINE void pool_part(const std::vector<Pooling::Entry>& list, const float* x, size_t row, float* y,
                      bool add) {
  Vector sum[N];
  UNROLL for (int v = 0; v < N; v++) sum[v] = add ? load(y + v * WIDTH) : Vector{};
  for (auto& e : list) {
    const Vector weight = broadcast(e.weight);
    const float* from = x + e.source * row;
    KEEP_ADDRESS(from);
    UNROLL for (int v = 0; v < N; v++) sum[v] += load(from + v * WIDTH) * weight;
  }
  UNROLL for (int v = 0; v < N; v++) store(y + v * WIDTH, sum[v]);
}

// One chunk: y [outputs][channels][LANES] from x [inputs][channels][LANES].
inline void pool(const Pooling& pooling, const float* x, int channels, float* y, bool add) {
  constexpr size_t WIDE = 8 * WIDTH;  // sums side by side hide the latency of one
  const size_t row = static_cast<size_t>(channels) * LANES;
  for (int p = 0; p < pooling.outputs; p++, y += row) {
    size_t k = 0;
    for (; k + WIDE <= row; k += WIDE) pool_part<8>(pooling.lists[p], x + k, row, y + k, add);
    for (; k < row; k += WIDTH) pool_part<1>(pooling.lists[p], x + k, row, y + k, add);
  }
}

inline void add_to(const float* x, size_t n, float* y, bool add) {
  for (size_t k = 0; k < n; k += WIDTH)
    store(y + k, add ? load(y + k) + load(x + k) : load(x + k));
}
