// Gradients of convolutions to their weights, a tile of channels at a time.
//
// A tile reads part of a group of input channels and part of one of output channels.
#pragma once
#include "convolution.h"

// Input and output channels of a tile: its sums and what they read fit into the registers.
constexpr int TILE_OUT = 4, TILE_IN = REGISTERS == 32 ? 4 : 2;

// Where a tile's channels are: its first pixel, and how far apart pixels and chunks are.
struct Side {
  const float* data;
  size_t pixel, chunk;

  Side(const float* tensor, int pixels, int channels, int c)
      : data(tensor + place(pixels, channels, 0, c)),
        pixel(static_cast<size_t>(group_of(channels, c)) * LANES),
        chunk(static_cast<size_t>(pixels) * channels * LANES) {}
};

// Gradient to the weights: a tile of IN x OUT channels keeps its sums over pixels in registers.
template <int IN, int OUT>
INLINE void weight_tile(Side x, Side d, int chunks, const Tap* begin, const Tap* end,
                        float* sums) {
  Vector sum[IN][OUT];
  UNROLL for (int i = 0; i < IN; i++) UNROLL for (int o = 0; o < OUT; o++)
    sum[i][o] = load(sums + (i * OUT + o) * WIDTH);
  for (int k = 0; k < chunks; k++, x.data += x.chunk, d.data += d.chunk)
    for (const Tap* e = begin; e < end; e++) {
      const float* from = x.data + e->source * x.pixel;
      const float* grad = d.data + e->tap * d.pixel;  // here: output pixel
      KEEP_ADDRESS(from);
      KEEP_ADDRESS(grad);
      UNROLL for (int v = 0; v < VECTORS; v++) {
        Vector g[OUT];
        UNROLL for (int o = 0; o < OUT; o++) {
          g[o] = load(grad + o * LANES + v * WIDTH);
          KEEP(g[o]);
        }
        UNROLL for (int i = 0; i < IN; i++) {
          Vector value = load(from + i * LANES + v * WIDTH);
          KEEP(value);
          UNROLL for (int o = 0; o < OUT; o++) sum[i][o] += value * g[o];
        }
      }
    }
  UNROLL for (int i = 0; i < IN; i++) UNROLL for (int o = 0; o < OUT; o++)
    store(sums + (i * OUT + o) * WIDTH, sum[i][o]);
}

// The entries of a geometry by tap, cut into strips of output rows that stay in the first cache.
// Where a tile's part of the whole batch does, it is one strip, and sums need not be kept.
struct WeightPlan {
  struct Strip {
    std::vector<int> first;  // [taps + 1]
    std::vector<Tap> entries;  // by tap; `tap` holds the output pixel
  };
  std::vector<Strip> strips;
  bool whole = false;

  WeightPlan() = default;
  WeightPlan(const Geometry& g, int chunks) {
    const size_t cache = 24 << 10, line = TILE_OUT * LANES * sizeof(float);
    const int rows_in = g.taps > 1 ? 3 : 1, rows_out = g.outputs / g.row;
    whole = static_cast<size_t>(g.inputs + g.outputs) * line * chunks <= 2 * cache;
    int rows = whole ? rows_out : 1;
    while (rows < rows_out &&
           static_cast<size_t>((rows + 1) + (rows + rows_in)) * g.row * line <= cache)
      rows++;
    for (int p0 = 0; p0 < g.outputs; p0 += rows * g.row) {
      Strip strip;
      strip.first.push_back(0);
      for (int t = 0; t < g.taps; t++) {
        for (int p = p0; p < std::min(g.outputs, p0 + rows * g.row); p++)
          for (int e = g.first[p]; e < g.first[p + 1]; e++)
            if (g.entries[e].tap == t) strip.entries.push_back({p, g.entries[e].source});
        strip.first.push_back(static_cast<int>(strip.entries.size()));
      }
      strips.push_back(std::move(strip));
    }
  }
};

// Calls visit(i0, o0, at) with a tile's size as template arguments, for each tile of channels; its
// sums are at `at`.
template <class Visitor>
void each_tile(int in, int out, int taps, Visitor visit) {
  size_t at = 0;
  for (int o0 = 0, to; o0 < out; o0 += to) {
    to = out - o0 >= TILE_OUT ? TILE_OUT : 1;
    for (int i0 = 0, ti; i0 < in; i0 += ti) {
      ti = in - i0 >= TILE_IN ? TILE_IN : 1;
      if (ti == TILE_IN && to == TILE_OUT) visit.template tile<TILE_IN, TILE_OUT>(i0, o0, at);
      else if (ti == TILE_IN) visit.template tile<TILE_IN, 1>(i0, o0, at);
      else if (to == TILE_OUT) visit.template tile<1, TILE_OUT>(i0, o0, at);
      else visit.template tile<1, 1>(i0, o0, at);
      at += static_cast<size_t>(taps) * ti * to * WIDTH;
    }
  }
}

// A tile's sums for one tap [in][out][WIDTH], as gradients [out][in][tap].
template <int IN, int OUT>
INLINE void finish_tile(const float* sums, int i0, int o0, int t, int in, int taps,
                        float* gradient) {
  for (int i = 0; i < IN; i++)
    for (int o = 0; o < OUT; o++)
      gradient[(static_cast<size_t>(o0 + o) * in + i0 + i) * taps + t] =
          horizontal_sum(load(sums + (i * OUT + o) * WIDTH));
}

struct AddChunk {
  const float* x;
  int in;
  const float* d;
  int out;
  const Geometry& g;
  const WeightPlan& plan;
  float* sums;

  template <int IN, int OUT>
  void tile(int i0, int o0, size_t at) const {
    const Side from(x, g.inputs, in, i0), grad(d, g.outputs, out, o0);
    for (auto& strip : plan.strips)
      for (int t = 0; t < g.taps; t++)
        weight_tile<IN, OUT>(from, grad, 1, strip.entries.data() + strip.first[t],
                             strip.entries.data() + strip.first[t + 1],
                             sums + at + static_cast<size_t>(t) * IN * OUT * WIDTH);
  }
};

// What one chunk adds to `sums`, [tile][tap][in][out][WIDTH].
inline void add_weight_gradient(const float* x, int in, const float* d, int out, const Geometry& g,
                                const WeightPlan& plan, float* sums) {
  each_tile(in, out, g.taps, AddChunk{x, in, d, out, g, plan, sums});
}

struct FinishSums {
  const float* sums;
  int in, taps;
  float* gradient;

  template <int IN, int OUT>
  void tile(int i0, int o0, size_t at) const {
    for (int t = 0; t < taps; t++)
      finish_tile<IN, OUT>(sums + at + static_cast<size_t>(t) * IN * OUT * WIDTH, i0, o0, t, in,
                           taps, gradient);
  }
};

// The sums of all chunks as gradients [out][in][tap].
inline void finish_weight_gradient(const float* sums, int in, int out, int taps, float* gradient) {
  each_tile(in, out, taps, FinishSums{sums, in, taps, gradient});
}

struct WholeBatch {
  const float* x;
  int in;
  const float* d;
  int out, chunks;
  const Geometry& g;
  const WeightPlan::Strip& strip;
  float* gradient;

  template <int IN, int OUT>
  void tile(int i0, int o0, size_t) const {
    const Side from(x, g.inputs, in, i0), grad(d, g.outputs, out, o0);
    for (int t = 0; t < g.taps; t++) {
      alignas(64) float sums[IN * OUT * WIDTH] = {};
      weight_tile<IN, OUT>(from, grad, chunks, strip.entries.data() + strip.first[t],
                           strip.entries.data() + strip.first[t + 1], sums);
      finish_tile<IN, OUT>(sums, i0, o0, t, in, g.taps, gradient);
    }
  }
};

// The gradients [out][in][tap] of a whole batch of chunks at once.
inline void whole_weight_gradient(const float* x, int in, const float* d, int out, int chunks,
                                  const Geometry& g, const WeightPlan& plan, float* gradient) {
  each_tile(in, out, g.taps, WholeBatch{x, in, d, out, chunks, g, plan.strips[0], gradient});
}
