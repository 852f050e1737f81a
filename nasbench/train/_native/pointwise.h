// Everything between convolutions: sums, BatchNorm, ReLU and pooling, a chunk at a time.
#pragma once
#include <cmath>
#include <vector>

#include "convolution.h"

// One term of a sum: (z - mean) * scale by channel.
struct Term {
  const float *z, *mean, *scale;
};

// N terms, 0: as many as `n` says, of CHANNELS channels from c0 on.
template <int N, int CHANNELS>
INLINE void sum_of_terms(const Term* terms, int n, const float* shift, int c0, int pixels,
                         size_t at, size_t step, float* x, float* relus) {
  for (int p = 0; p < pixels; p++, at += step)
    UNROLL for (int c = 0; c < CHANNELS; c++) {
      const size_t k = at + c * LANES;
      const size_t later = k + AHEAD * step;
      if (x) UNROLL for (int v = 0; v < VECTORS; v++) will_write(x + later, v);
      if (relus) UNROLL for (int v = 0; v < VECTORS; v++) will_write(relus + later, v);
      Vector sum[VECTORS];
      UNROLL for (int v = 0; v < VECTORS; v++) sum[v] = broadcast(shift[c0 + c]);
      UNROLL for (int t = 0; t < (N ? N : n); t++) {
        const Vector mean = broadcast(terms[t].mean[c0 + c]);
        const Vector scale = broadcast(terms[t].scale[c0 + c]);
        UNROLL for (int v = 0; v < VECTORS; v++)
          sum[v] += (load(terms[t].z + k + v * WIDTH) - mean) * scale;
      }
      if (x) UNROLL for (int v = 0; v < VECTORS; v++) store(x + k + v * WIDTH, sum[v]);
      if (!relus) continue;
      UNROLL for (int v = 0; v < VECTORS; v++) store(relus + k + v * WIDTH, relu(sum[v]));
    }
}

// Pixels of one chunk, from `first` to before `last`: x = the sum of the terms and of a shift by
// channel, and ReLU(x); either may be null.
inline void sum_terms(const std::vector<Term>& terms, const float* shift, int pixels, int channels,
                      int first, int last, float* x, float* relus) {
  const int n = static_cast<int>(terms.size());
  const Term* t = terms.data();
  each_group(pixels, channels, [&](auto size, int c, size_t at, size_t step) {
    constexpr int C = decltype(size)::value;
    at += first * step;
    if (n == 1) sum_of_terms<1, C>(t, n, shift, c, last - first, at, step, x, relus);
    else if (n == 2) sum_of_terms<2, C>(t, n, shift, c, last - first, at, step, x, relus);
    else if (n == 3) sum_of_terms<3, C>(t, n, shift, c, last - first, at, step, x, relus);
    else sum_of_terms<0, C>(t, n, shift, c, last - first, at, step, x, relus);
  });
}

// Channels whose sums are in registers at once.
constexpr int SUMMED = REGISTERS == 32 ? 4 : 2;

template <int CHANNELS, bool PRODUCT, bool MASKED>
INLINE void channel_sums_of(const float* a, const float* pivot, const float* b, const float* mean,
                            const float* mask, int pixels, size_t step, double* first,
                            double* second) {
  for (int v0 = 0; v0 < VECTORS; v0 += PAIR) {
    Vector sum[CHANNELS][PAIR] = {}, product[CHANNELS][PAIR] = {};
    size_t at = v0 * WIDTH;
    for (int p = 0; p < pixels; p++, at += step)
      UNROLL for (int c = 0; c < CHANNELS; c++) UNROLL for (int v = 0; v < PAIR; v++) {
        const size_t k = at + c * LANES + v * WIDTH;
        if (PRODUCT) will_read(b + (at + c * LANES + AHEAD * step), v);
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
  each_group(pixels, channels, [&](auto size, int c0, size_t at, size_t step) {
    constexpr int C = std::min(SUMMED, decltype(size)::value);
    for (int c = c0; c < c0 + size; c += C, at += C * LANES)
      (mask ? channel_sums_of<C, PRODUCT, true> : channel_sums_of<C, PRODUCT, false>)(
          a + at, pivot + c, b + at, mean + c, mask, pixels, step, first + c, second + c);
  });
}

// The means of one pixel's channels over n images.
inline void channel_means(const float* z, const float* mask, int pixels, int pixel, int channels,
                          int n, float* means) {
  for (int c = 0; c < channels; c++) {
    const float* from = z + place(pixels, channels, pixel, c);
    Vector sum{};
    for (int v = 0; v < LANES; v += WIDTH)
      sum += mask ? load(from + v) * load(mask + v) : load(from + v);
    means[c] = horizontal_sum(sum) / static_cast<float>(n);
  }
}

template <int N, bool MASKED>
INLINE void normalize_group(const float* dy, const float* z, const float* mean, const float* a,
                            const float* b, const float* d, const float* mask, int pixels,
                            size_t step, float* dz) {
  Vector m[N], aa[N], bb[N], dd[N];
  UNROLL for (int c = 0; c < N; c++) {
    m[c] = broadcast(mean[c]);
    aa[c] = broadcast(a[c]);
    bb[c] = broadcast(b[c]);
    dd[c] = broadcast(d[c]);
  }
  for (size_t at = 0; at < pixels * step; at += step)
    UNROLL for (int c = 0; c < N; c++) UNROLL for (int v = 0; v < VECTORS; v++) {
      const size_t k = at + c * LANES + v * WIDTH;
      will_read(z + (at + c * LANES + AHEAD * step), v);
      Vector value = load(dy + k) * aa[c] + ((load(z + k) - m[c]) * bb[c] + dd[c]);
      if (MASKED) value *= load(mask + v * WIDTH);
      store(dz + k, value);
    }
}

// dz = (a dy + b (z - mean) + d) * mask, the coefficients by channel.
inline void normalize_backward(const float* dy, const float* z, const float* mean, const float* a,
                               const float* b, const float* d, const float* mask, int pixels,
                               int channels, float* dz) {
  each_group(pixels, channels, [&](auto size, int c, size_t at, size_t step) {
    constexpr int N = decltype(size)::value;
    (mask ? normalize_group<N, true> : normalize_group<N, false>)(
        dy + at, z + at, mean + c, a + c, b + c, d + c, mask, pixels, step, dz + at);
  });
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
INLINE void pool_part(const std::vector<Pooling::Entry>& list, const float* x, size_t step,
                      float* y, bool add) {
  Vector sum[N];
  UNROLL for (int v = 0; v < N; v++) sum[v] = add ? load(y + v * WIDTH) : Vector{};
  for (auto& e : list) {
    const Vector weight = broadcast(e.weight);
    const float* from = x + e.source * step;
    KEEP_ADDRESS(from);
    UNROLL for (int v = 0; v < N; v++) sum[v] += load(from + v * WIDTH) * weight;
  }
  UNROLL for (int v = 0; v < N; v++) store(y + v * WIDTH, sum[v]);
}

// Pixels of one chunk, from `first` to before `last`.
inline void pool(const Pooling& pooling, const float* x, int channels, float* y, bool add,
                 int first, int last) {
  constexpr int SIDE_BY_SIDE = 8;  // sums that hide the latency of one
  for (int c = 0; c < channels; c += GROUP) {
    const size_t step = static_cast<size_t>(group_of(channels, c)) * LANES;
    const float* from = x + place(pooling.inputs, channels, 0, c);
    float* to = y + place(pooling.outputs, channels, first, c);
    for (int p = first; p < last; p++, to += step) {
      auto& list = pooling.lists[p];
      size_t k = 0;
      for (; k + SIDE_BY_SIDE * WIDTH <= step; k += SIDE_BY_SIDE * WIDTH)
        pool_part<SIDE_BY_SIDE>(list, from + k, step, to + k, add);
      for (; k < step; k += WIDTH) pool_part<1>(list, from + k, step, to + k, add);
    }
  }
}

inline void add_to(const float* x, size_t n, float* y, bool add) {
  for (size_t k = 0; k < n; k += WIDTH)
    store(y + k, add ? load(y + k) + load(x + k) : load(x + k));
}

// One chunk.
inline void pool(const Pooling& pooling, const float* x, int channels, float* y, bool add) {
  pool(pooling, x, channels, y, add, 0, pooling.outputs);
}
