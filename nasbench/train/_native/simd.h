// A float vector as wide as the target's registers, by the compiler's vector extensions.
#pragma once
#include <cstddef>

#if defined(__AVX512F__)
constexpr int WIDTH = 16, REGISTERS = 32;
#elif defined(__AVX__)
constexpr int WIDTH = 8, REGISTERS = 16;
#elif defined(__aarch64__)
constexpr int WIDTH = 4, REGISTERS = 32;
#else
constexpr int WIDTH = 4, REGISTERS = 16;
#endif

// Images stand side by side in the innermost dimension, LANES to a chunk, so that every kernel
// is a plain loop over vectors, whatever the number of channels.
constexpr int LANES = 32;
constexpr int VECTORS = LANES / WIDTH;  // vectors of a chunk
constexpr int PAIR = VECTORS < 2 ? VECTORS : 2;  // vectors that a kernel keeps in registers at once

typedef float Vector __attribute__((vector_size(WIDTH * sizeof(float)), may_alias));
typedef int Mask __attribute__((vector_size(WIDTH * sizeof(float)), may_alias));

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

INLINE Vector load(const float* p) { return *reinterpret_cast<const Vector*>(p); }
INLINE void store(float* p, Vector v) { *reinterpret_cast<Vector*>(p) = v; }
INLINE Vector broadcast(float x) { return x - Vector{}; }
// x where gate > 0, else 0.
INLINE Vector where_positive(Vector x, Vector gate) {
  return reinterpret_cast<Vector>(reinterpret_cast<Mask>(x) & static_cast<Mask>(gate > Vector{}));
}
// A NaN stays one: a training that diverges must show it.
INLINE Vector relu(Vector x) {
  return reinterpret_cast<Vector>(reinterpret_cast<Mask>(x) & ~static_cast<Mask>(x < Vector{}));
}
INLINE float horizontal_sum(Vector v) {
  typedef float Four __attribute__((vector_size(4 * sizeof(float)), may_alias));
  const Four* parts = reinterpret_cast<const Four*>(&v);
  Four sum = parts[0];
  UNROLL for (int i = 1; i < WIDTH / 4; i++) sum += parts[i];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

// Keeps a loaded value in a register. GCC would read it again as the memory operand of every
// multiply-add, and two loads for each would be the limit instead of the arithmetic.
#if defined(__AVX512F__)
#define KEEP(x) asm("" : "+v"(x))
#elif defined(__x86_64__)
#define KEEP(x) asm("" : "+x"(x))
#elif defined(__aarch64__)
#define KEEP(x) asm("" : "+w"(x))
#else
#define KEEP(x)
#endif
// Keeps an address in one register, so that what is near it is reached by constant offsets. GCC
// would keep a register for each and run out of them.
#define KEEP_ADDRESS(p) asm("" : "+r"(p))
