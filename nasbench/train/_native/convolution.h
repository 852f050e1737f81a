// Convolutions of any kernel size and stride, and their gradients, from explicit lists of taps.
//
// A geometry lists, for every output pixel, the taps that fall inside the image and the input
// pixel each reads. Padding costs nothing, and the gradient to the input is the same kernel on
// the transposed lists.
#pragma once
#include <algorithm>
#include <vector>

#include "tensor.h"

struct Tap {
  int tap, source;
};

// Taps that follow each other and read pixels that do.
struct Run {
  int tap, source, length;
};

// An output pixel, or two with the same taps whose sources lie `shift` pixels apart: a kernel for
// few channels fills its registers with two.
struct Unit {
  int pixel, partner, shift;
};

// Rows of output pixels.
struct Rows {
  int begin, end;
};

struct Geometry {
  int inputs = 0, outputs = 0, taps = 0;  // pixels, kernel size squared
  int row_in = 1, row = 1;                // pixels a row
  std::vector<int> first;  // [outputs + 1]: where each output pixel's entries start
  std::vector<Tap> entries;
  std::vector<int> first_run;  // [outputs + 1], of `runs`
  std::vector<Run> runs;
  std::vector<Unit> singles, pairs;
  std::vector<int> first_pair;  // [rows + 1], of `pairs`

  void fill(const std::vector<std::vector<Tap>>& lists) {
    outputs = static_cast<int>(lists.size());
    first.assign(1, 0);
    first_run.assign(1, 0);
    for (auto& list : lists) {
      const Tap* last = nullptr;
      for (const Tap& e : list) {
        if (last && e.tap == last->tap + 1 && e.source == last->source + 1) runs.back().length++;
        else runs.push_back({e.tap, e.source, 1});
        last = &e;
      }
      entries.insert(entries.end(), list.begin(), list.end());
      first.push_back(static_cast<int>(entries.size()));
      first_run.push_back(static_cast<int>(runs.size()));
    }
    std::vector<char> taken(outputs);
    for (int p = 0; p < outputs; p++) {
      singles.push_back({p, -1, 0});
      if (p % row == 0) first_pair.push_back(static_cast<int>(pairs.size()));
      if (taken[p]) continue;
      Unit unit{p, -1, 0};
      // The next pixel has the same taps; in a transposed stride of 2, the next but one.
      const int end = std::min(p + 3, (p / row + 1) * row);
      for (int q = p + 1; q < end && unit.partner < 0; q++)
        if (!taken[q] && same_taps(p, q)) {
          unit.partner = q;
          unit.shift = entries[first[q]].source - entries[first[p]].source;
          taken[q] = 1;
        }
      pairs.push_back(unit);
    }
    first_pair.push_back(static_cast<int>(pairs.size()));
  }

  Rows all() const { return {0, outputs / row}; }

  bool same_taps(int p, int q) const {
    const int n = first[p + 1] - first[p];
    if (!n || first[q + 1] - first[q] != n) return false;
    const int shift = entries[first[q]].source - entries[first[p]].source;
    for (int e = 0; e < n; e++) {
      const Tap &a = entries[first[p] + e], &b = entries[first[q] + e];
      if (a.tap != b.tap || b.source - a.source != shift) return false;
    }
    return true;
  }
};

inline int strided(int size, int stride) { return (size - 1) / stride + 1; }

inline Geometry convolution_geometry(int size, int kernel, int stride) {
  const int out = strided(size, stride), pad = kernel / 2;
  std::vector<std::vector<Tap>> lists(static_cast<size_t>(out) * out);
  for (int y = 0; y < out; y++)
    for (int x = 0; x < out; x++)
      for (int i = 0; i < kernel; i++)
        for (int j = 0; j < kernel; j++) {
          const int yy = y * stride + i - pad, xx = x * stride + j - pad;
          if (yy >= 0 && yy < size && xx >= 0 && xx < size)
            lists[y * out + x].push_back({i * kernel + j, yy * size + xx});
        }
  Geometry geometry;
  geometry.inputs = size * size;
  geometry.taps = kernel * kernel;
  geometry.row_in = size;
  geometry.row = out;
  geometry.fill(lists);
  return geometry;
}

// The geometry of the gradient to the input. Taps count from the other end, as in `pack`: then
// they follow each other where the pixels do.
inline Geometry transposed(const Geometry& of) {
  std::vector<std::vector<Tap>> lists(of.inputs);
  for (int p = 0; p < of.outputs; p++)
    for (int e = of.first[p]; e < of.first[p + 1]; e++)
      lists[of.entries[e].source].push_back({of.taps - 1 - of.entries[e].tap, p});
  Geometry geometry;
  geometry.inputs = of.outputs;
  geometry.taps = of.taps;
  geometry.row_in = of.row;
  geometry.row = of.row_in;
  geometry.fill(lists);
  return geometry;
}

// Output channels that a kernel computes at once: as many as leave registers for the inputs.
constexpr int MOST_CHANNELS = REGISTERS == 32 ? 8 : 4;
inline int block_of(int channels_left) {
  int block = MOST_CHANNELS;
  while (block > channels_left) block /= 2;
  return block;
}

// Weights [out][in][tap] as the kernels read them: blocks of output channels, [tap][in][block].
// With `transpose`, the roles of out and in are exchanged and taps count from the other end, for
// the gradient to the input.
inline void pack(const float* weights, int out, int in, int taps, bool transpose, float* packed) {
  const int outer = transpose ? in : out, inner = transpose ? out : in;
  for (int c0 = 0, block; c0 < outer; c0 += block) {
    block = block_of(outer - c0);
    for (int t = 0; t < taps; t++)
      for (int i = 0; i < inner; i++)
        for (int c = c0; c < c0 + block; c++)
          *packed++ = transpose ? weights[(static_cast<size_t>(i) * in + c) * taps + taps - 1 - t]
                                : weights[(static_cast<size_t>(c) * in + i) * taps + t];
  }
}

enum class Store { SET, GATE, ADD_GATED };  // as it is; where gate > 0; added where gate > 0

// Adds what N channels that follow each other in memory give to BLOCK output channels.
template <int N, int BLOCK, int PIXELS>
INLINE void add_channels(const float* from, size_t shift, const float* w,
                         Vector (&sum)[PIXELS][BLOCK][PAIR]) {
  const float* other = from + shift;
  KEEP_ADDRESS(from);
  UNROLL for (int i = 0; i < N; i++) {
    Vector value[PIXELS][PAIR];
    UNROLL for (int v = 0; v < PAIR; v++) {
      value[0][v] = load(from + i * LANES + v * WIDTH);
      KEEP(value[0][v]);
      if (PIXELS == 2) {
        value[PIXELS - 1][v] = load(other + i * LANES + v * WIDTH);
        KEEP(value[PIXELS - 1][v]);
      }
    }
    UNROLL for (int c = 0; c < BLOCK; c++) {
      Vector weight = broadcast(w[i * BLOCK + c]);
      KEEP(weight);
      UNROLL for (int p = 0; p < PIXELS; p++) UNROLL for (int v = 0; v < PAIR; v++)
        sum[p][c][v] += weight * value[p][v];
    }
  }
}

// What a convolution reads and writes: a chunk's tensors, from the block's first output channel on.
struct Planes {
  const float* x;
  int in;                   // input channels
  size_t x_group, y_group;  // how far apart groups are
  size_t y_pixel;           // how far apart output pixels are
  float* y;
  const float* gate;

  Planes(const float* from, int channels, float* to, int out, int c0, const float* gate_of,
         const Geometry& g)
      : x(from), in(channels),
        x_group(static_cast<size_t>(g.inputs) * GROUP * LANES),
        y_group(static_cast<size_t>(g.outputs) * GROUP * LANES),
        y_pixel(static_cast<size_t>(group_of(out, c0)) * LANES),
        y(to + place(g.outputs, out, 0, c0)),
        gate(gate_of ? gate_of + place(g.outputs, out, 0, c0) : nullptr) {}
};

// REST: there may be channels besides whole groups.
template <int BLOCK, int PIXELS, bool REST>
INLINE void add_run(const Planes& of, const Run& run, int shift, const float* packed, int v0,
                    Vector (&sum)[PIXELS][BLOCK][PAIR]) {
  constexpr int PIXEL = GROUP * LANES;
  const float* w = packed + static_cast<size_t>(run.tap) * of.in * BLOCK;
  const float* pixel = of.x + static_cast<size_t>(run.source) * PIXEL + v0 * WIDTH;
  if (!REST) {
    for (int t = 0; t < run.length; t++, pixel += PIXEL) {
      const float* from = pixel;
      const float* end = w + of.in * BLOCK;
      for (; w < end; from += of.x_group, w += GROUP * BLOCK)
        add_channels<GROUP, BLOCK, PIXELS>(from, static_cast<ptrdiff_t>(shift) * PIXEL, w, sum);
    }
    return;
  }
  const int groups = of.in / GROUP, rest = of.in % GROUP;
  const ptrdiff_t step = static_cast<ptrdiff_t>(rest) * LANES;
  const float* left = of.x + groups * of.x_group + run.source * step + v0 * WIDTH;
  if (!groups) {  // the channels of a pixel follow those of the one before
    for (int i = run.length * rest; i > 0; i--, left += LANES, w += BLOCK)
      add_channels<1, BLOCK, PIXELS>(left, shift * step, w, sum);
    return;
  }
  for (int t = 0; t < run.length; t++, pixel += PIXEL) {
    for (int i = 0; i < groups * GROUP; i++, w += BLOCK)
      add_channels<1, BLOCK, PIXELS>(pixel + i / GROUP * of.x_group + i % GROUP * LANES,
                                     static_cast<ptrdiff_t>(shift) * PIXEL, w, sum);
    for (int i = 0; i < rest; i++, left += LANES, w += BLOCK)
      add_channels<1, BLOCK, PIXELS>(left, shift * step, w, sum);
  }
}

template <int BLOCK, int PIXELS, bool REST, Store HOW>
INLINE void convolve_unit(const Planes& of, const float* packed, const Geometry& g,
                          const Unit& unit) {
  constexpr int PART = std::min(BLOCK, GROUP);
  for (int v0 = 0; v0 < VECTORS; v0 += PAIR) {
    Vector sum[PIXELS][BLOCK][PAIR] = {};
    for (int r = g.first_run[unit.pixel]; r < g.first_run[unit.pixel + 1]; r++)
      add_run<BLOCK, PIXELS, REST>(of, g.runs[r], unit.shift, packed, v0, sum);
    UNROLL for (int p = 0; p < PIXELS; p++)
      UNROLL for (int c = 0; c < BLOCK; c++) UNROLL for (int v = 0; v < PAIR; v++) {
        const size_t k = (p ? unit.partner : unit.pixel) * of.y_pixel + c / PART * of.y_group +
                         c % PART * LANES + (v0 + v) * WIDTH;
        Vector z = sum[p][c][v];
        if (HOW != Store::SET) z = where_positive(z, load(of.gate + k));
        if (HOW == Store::ADD_GATED) z += load(of.y + k);
        store(of.y + k, z);
      }
  }
}

template <int BLOCK, bool REST, Store HOW>
void convolve_block(const Planes& of, const float* packed, const Geometry& g, Rows rows) {
  // Two pixels, where their sums and the inputs fit into the registers.
  constexpr bool two = 2 * BLOCK * PAIR + 2 * PAIR + 1 <= REGISTERS;
  const Unit* units = two ? g.pairs.data() : g.singles.data();
  const Unit* end = units + (two ? g.first_pair[rows.end] : rows.end * g.row);
  for (units += two ? g.first_pair[rows.begin] : rows.begin * g.row; units < end; units++)
    if (two && units->partner >= 0)
      convolve_unit<BLOCK, two ? 2 : 1, REST, HOW>(of, packed, g, *units);
    else
      convolve_unit<BLOCK, 1, REST, HOW>(of, packed, g, *units);
}

// Rows of one chunk: y of `out` channels from x of `in`.
template <Store HOW>
void convolve(const float* x, int in, float* y, int out, const float* packed, const Geometry& g,
              Rows rows, const float* gate = nullptr) {
  for (int c0 = 0, block; c0 < out; c0 += block) {
    block = block_of(out - c0);
    const float* w = packed + static_cast<size_t>(c0) * g.taps * in;
    const Planes of(x, in, y, out, c0, gate, g);
    const auto one = [&](auto rest) {
      constexpr bool REST = decltype(rest)::value;
      if (block == 8) convolve_block<8, REST, HOW>(of, w, g, rows);
      else if (block == 4) convolve_block<4, REST, HOW>(of, w, g, rows);
      else if (block == 2) convolve_block<2, REST, HOW>(of, w, g, rows);
      else convolve_block<1, REST, HOW>(of, w, g, rows);
    };
    if (in % GROUP) one(std::true_type());
    else one(std::false_type());
  }
}
