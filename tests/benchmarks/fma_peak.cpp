// How many multiply-adds this core's widest registers do a second: the limit of any convolution.
#include <cstdio>
#include <ctime>

#if defined(__AVX512F__)
constexpr int WIDTH = 16;
#elif defined(__AVX__)
constexpr int WIDTH = 8;
#else
constexpr int WIDTH = 4;
#endif
typedef float Vector __attribute__((vector_size(WIDTH * sizeof(float))));

#if defined(__AVX512F__)
#define OPAQUE(x) asm volatile("" : "+v"(x))
#elif defined(__x86_64__)
#define OPAQUE(x) asm volatile("" : "+x"(x))
#else
#define OPAQUE(x) asm volatile("" : "+w"(x))
#endif

int main() {
  constexpr int CHAINS = 10, ROUNDS = 3000000;  // chains enough to hide the latency of each
  double best = 0;
  for (int trial = 0; trial < 20; trial++) {
    Vector sum[CHAINS] = {}, factor = Vector{} + 0.5f;
    OPAQUE(factor);
    const std::clock_t start = std::clock();
    for (int r = 0; r < ROUNDS; r++) {
#pragma GCC unroll 16
      for (int c = 0; c < CHAINS; c++) {
        sum[c] = sum[c] * factor + factor;
        OPAQUE(sum[c]);  // equal chains would be made one
      }
    }
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    const double rate = 2.0 * ROUNDS * CHAINS * WIDTH / seconds;
    if (rate > best) best = rate;
  }
  std::printf("%.6g\n", best);
}
