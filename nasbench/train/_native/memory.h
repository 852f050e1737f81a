// Memory of one network: many arrays out of a few large blocks.
#pragma once
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

// An array on cache lines; its memory belongs to an arena.
class Array {
 public:
  Array() = default;
  Array(float* data, size_t size) : data_(data), size_(size) {}
  float* data() const { return data_; }
  size_t size() const { return size_; }
  void clear() const { std::memset(data_, 0, size_ * sizeof(float)); }

 private:
  float* data_ = nullptr;
  size_t size_ = 0;
};

// Zeroed arrays that live as long as the arena. Large pages spare the processor a page table that
// its caches cannot hold.
class Arena {
 public:
  Array take(size_t n) {
    // Arrays of a power of two would all begin at the same offset of a page, where a load has to
    // wait for an unrelated store whose address agrees in the low bits.
    const size_t bytes = (n * sizeof(float) + LINE - 1) / LINE * LINE + STAGGER;
    if (bytes > left_) grow(bytes);
    float* data = reinterpret_cast<float*>(next_);
    next_ += bytes;
    left_ -= bytes;
    return {data, n};
  }

 private:
  static constexpr size_t LINE = 64, STAGGER = 17 * LINE, PAGE = 2 << 20;

  void grow(size_t bytes) {
    const size_t block = (std::max(bytes, 4 * PAGE) + PAGE - 1) / PAGE * PAGE;
    blocks_.emplace_back(static_cast<char*>(std::aligned_alloc(PAGE, block)));
    if (!blocks_.back()) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
    madvise(blocks_.back().get(), block, MADV_HUGEPAGE);
#endif
    next_ = blocks_.back().get();
    left_ = block;
    std::memset(next_, 0, block);
  }

  struct Free { void operator()(char* p) const { std::free(p); } };
  std::vector<std::unique_ptr<char, Free>> blocks_;
  char* next_ = nullptr;
  size_t left_ = 0;
};

// Arrays that are needed for a while only and take each other's memory: fewer than one for each
// fit into the caches, and the one that was given back last is the likeliest to be there still.
class Recycler {
 public:
  explicit Recycler(Arena& arena) : arena_(arena) {}

  Array take(size_t n) {
    for (size_t i = free_.size(); i-- > 0;)
      if (free_[i].size() == n) {
        const Array found = free_[i];
        free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
        return found;
      }
    return arena_.take(n);
  }
  void give(const Array& array) { free_.push_back(array); }

 private:
  Arena& arena_;
  std::vector<Array> free_;
};
