// How tensors lie in memory: [chunk][group of channels][pixel][channel of the group][LANES].
//
// Channels are in groups of GROUP, the last of what is left. What takes a group at a time reads
// one stretch of memory: pixels of all channels would be a power of two apart and compete for
// the same lines of the first cache.
#pragma once
#include <algorithm>
#include <type_traits>

#include "simd.h"

constexpr int GROUP = 4;

// Channels in the group of channel c.
inline int group_of(int channels, int c) { return std::min(GROUP, channels - c / GROUP * GROUP); }

// Where a pixel's channel is in a chunk.
inline size_t place(int pixels, int channels, int pixel, int c) {
  const int group = group_of(channels, c);
  return (static_cast<size_t>(c - c % GROUP) * pixels + pixel * group + c % GROUP) * LANES;
}

// What a pass over a tensor will reach so many pixels later is asked for now, once for each line of
// a cache: the third cache answers slower than the processor runs ahead by itself. Asking past the
// end does no harm.
constexpr int AHEAD = 8, LINE = 16;
INLINE void will_read(const float* p, int v) {
  if (v * WIDTH % LINE == 0) __builtin_prefetch(p + v * WIDTH);
}
INLINE void will_write(const float* p, int v) {
  if (v * WIDTH % LINE == 0) __builtin_prefetch(p + v * WIDTH, 1);
}

// Calls visit(N, c, at, step) for N channels together from c on, a whole group or one channel of
// what is left; they are at `at` for the first pixel and `step` further for each next one.
template <class Visitor>
void each_group(int pixels, int channels, Visitor visit) {
  int c = 0;
  for (; c + GROUP <= channels; c += GROUP)
    visit(std::integral_constant<int, GROUP>(), c, place(pixels, channels, 0, c),
          static_cast<size_t>(GROUP) * LANES);
  const size_t step = static_cast<size_t>(channels - c) * LANES;
  for (; c < channels; c++)
    visit(std::integral_constant<int, 1>(), c, place(pixels, channels, 0, c), step);
}
