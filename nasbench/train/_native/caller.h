// What the engine's calls have in common: their images, their ends.
#pragma once
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <exception>

#include "network.h"

namespace {

enum Status { DONE = 0, STOPPED = 1, FAILED = 2 };

// A split: images float32 [n][inputs][size][size], labels [n].
struct Split {
  const float* images;
  const int32_t* labels;
  int64_t n;
};

// Seconds of this thread on a core: what else the machine does is not the network's.
double now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Lay images out as the network reads them. `order` picks them (null: as they come); `shifts` are
// the rows and columns by which each is moved, `flips` says which are mirrored after that.
void gather(const Spec& spec, const Split& split, int64_t begin, int n, const int64_t* order,
            const int64_t* shifts, const uint8_t* flips, float* to, int32_t* labels) {
  const int side = spec.size, pixels = side * side;
  const int padded = (n + LANES - 1) / LANES * LANES;
  for (int i = 0; i < padded; i++) {
    float* chunk = to + static_cast<size_t>(i / LANES) * pixels * spec.inputs * LANES + i % LANES;
    if (i >= n) {
      for (int k = 0; k < pixels * spec.inputs; k++) chunk[static_cast<size_t>(k) * LANES] = 0;
      continue;
    }
    const int64_t image = order ? order[begin + i] : begin + i;
    labels[i] = split.labels[image];
    const int down = shifts ? static_cast<int>(shifts[2 * (begin + i)]) : 0;
    const int right = shifts ? static_cast<int>(shifts[2 * (begin + i) + 1]) : 0;
    const bool flip = flips && flips[begin + i];
    for (int c = 0; c < spec.inputs; c++)
      for (int y = 0; y < side; y++) {
        float* row = chunk + place(pixels, spec.inputs, y * side, c);
        const size_t step = static_cast<size_t>(group_of(spec.inputs, c)) * LANES;
        const int from_row = y + down;
        const float* from =
            split.images + (image * spec.inputs + c) * pixels + from_row * side + right;
        // The columns whose source lies inside the image.
        const bool inside = from_row >= 0 && from_row < side;
        const int low = inside ? std::clamp(-right, 0, side) : side;
        const int high = inside ? std::clamp(side - right, low, side) : side;
        for (int x = 0; x < low; x++) row[(flip ? side - 1 - x : x) * step] = 0;
        if (flip) for (int x = low; x < high; x++) row[(side - 1 - x) * step] = from[x];
        else for (int x = low; x < high; x++) row[x * step] = from[x];
        for (int x = high; x < side; x++) row[(flip ? side - 1 - x : x) * step] = 0;
      }
  }
}

int fail(const std::exception& error, char* message, int capacity) {
  std::snprintf(message, capacity, "%s", error.what());
  return FAILED;
}

}  // namespace
