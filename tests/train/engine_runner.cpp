// Runs the engine without Python, as another compiler or for another processor builds it: reads a
// batch and a network from standard input, writes the batch's loss and gradients, then what two
// epochs on it show and the weights they end with.
#include <cstdlib>
#include <numeric>
#include <vector>

#include "engine.cpp"

template <class T>
std::vector<T> read(size_t n) {
  std::vector<T> values(n);
  if (std::fread(values.data(), sizeof(T), n, stdin) != n) std::exit(2);
  return values;
}

template <class T>
void write(const std::vector<T>& values) {
  std::fwrite(values.data(), sizeof(T), values.size(), stdout);
}

int main() {
  const Spec spec = read<Spec>(1)[0];
  const auto edges = read<Edge>(spec.edges);
  const auto n = read<int64_t>(1)[0];
  const auto images = read<float>(n * spec.inputs * spec.size * spec.size);
  const auto labels = read<int32_t>(n);
  auto parameters = read<float>(nasbench_parameters(&spec, edges.data()));
  const Split split{images.data(), labels.data(), n};
  char message[200];

  std::vector<double> loss(1);
  std::vector<float> gradients(parameters.size());
  if (nasbench_gradients(&spec, edges.data(), parameters.data(), &split, loss.data(),
                         gradients.data(), message, sizeof message))
    return 1;
  write(loss);
  write(gradients);

  std::vector<int64_t> order(n * spec.epochs);
  for (int epoch = 0; epoch < spec.epochs; epoch++)
    std::iota(order.begin() + epoch * n, order.begin() + (epoch + 1) * n, 0);
  const std::vector<float> rates(spec.epochs, 0.01f);
  std::vector<double> curves(spec.epochs * COLUMNS);
  const volatile int32_t stop = 0;
  double test_accuracy, evaluation_seconds;
  int32_t diverged;
  if (nasbench_train(&spec, edges.data(), parameters.data(), &split, &split, &split, order.data(),
                     nullptr, nullptr, rates.data(), &stop, curves.data(), &test_accuracy,
                     &evaluation_seconds, &diverged, message, sizeof message, nullptr))
    return 1;
  write(curves);
  write(parameters);
}
