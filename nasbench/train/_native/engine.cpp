// The engine's C interface: train one network, or the gradients of one batch.
//
// Built once for each instruction set; the caller loads the best that the processor has. One
// call trains one network on one thread and holds no global state.
#include <limits>

#include "caller.h"
#include "sharing.h"

namespace {

// What every epoch shows: the order of the columns of `curves`.
enum Column { TRAIN_LOSS, TRAIN_ACCURACY, VALID_LOSS, VALID_ACCURACY, TRAIN_SECONDS, COLUMNS };

void evaluate(Network& network, const Spec& spec, const Split& split, std::vector<int32_t>& labels,
              const volatile int32_t* stop, double* loss, double* accuracy) {
  double total = 0;
  int64_t right = 0;
  for (int64_t begin = 0; begin < split.n && !*stop; begin += LANES) {
    const int n = static_cast<int>(std::min<int64_t>(LANES, split.n - begin));
    gather(spec, split, begin, n, nullptr, nullptr, nullptr, network.images(), labels.data());
    double batch_loss;
    int correct;
    network.pass(labels.data(), n, false, 0, &batch_loss, &correct);
    total += batch_loss * n;
    right += correct;
  }
  *loss = total / static_cast<double>(split.n);
  *accuracy = 100.0 * static_cast<double>(right) / static_cast<double>(split.n);
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

int32_t nasbench_lanes() { return WIDTH; }

int64_t nasbench_parameters(const Spec* spec, const Edge* edges) {
  try {
    return static_cast<int64_t>(Network(*spec, edges).parameter_count());
  } catch (const std::exception&) {
    return -1;
  }
}

// Train from `parameters` (in PyTorch's order), which end as they are trained.
//   order [epochs][train.n], shifts [epochs][train.n][2] or null, flips [epochs][train.n] or null;
//   rates [epochs * steps an epoch]; stop: set by the caller to end early.
//   Out: curves [epochs][COLUMNS] (NaN from an epoch that diverged on), test accuracy of the last
//   epoch in percent, seconds of evaluation, the epoch (from 1) that diverged or 0, and on
//   failure a message; where `statistics` is not null, in as many numbers as parameters,
//   BatchNorm's running ones, see Layers::running_statistics.
int nasbench_train(const Spec* spec, const Edge* edges, float* parameters, const Split* train,
                   const Split* valid, const Split* test, const int64_t* order,
                   const int64_t* shifts, const uint8_t* flips, const float* rates,
                   const volatile int32_t* stop, double* curves, double* test_accuracy,
                   double* evaluation_seconds, int32_t* diverged, char* message, int capacity,
                   float* statistics) {
  try {
    Network network(*spec, edges);
    std::copy(parameters, parameters + network.parameter_count(), network.parameters());
    // Evaluation takes whole chunks.
    std::vector<int32_t> labels(std::max(spec->batch_size, LANES));
    double seconds = 0;
    *evaluation_seconds = 0;
    *diverged = 0;
    int64_t done = 0;
    for (int epoch = 0; epoch < spec->epochs; epoch++) {
      const double started = now();
      const int64_t* images = order + epoch * train->n;
      double total = 0;
      int64_t right = 0;
      for (int64_t begin = 0; begin < train->n; begin += spec->batch_size, done++) {
        if (*stop) return STOPPED;
        const int n = static_cast<int>(std::min<int64_t>(spec->batch_size, train->n - begin));
        gather(*spec, *train, begin, n, images, shifts ? shifts + 2 * epoch * train->n : nullptr,
               flips ? flips + epoch * train->n : nullptr, network.images(), labels.data());
        double loss;
        int correct;
        network.pass(labels.data(), n, true, spec->label_smoothing, &loss, &correct);
        network.step(rates[done]);
        total += loss * n;
        right += correct;
      }
      const double trained = now();
      seconds += trained - started;
      double* row = curves + epoch * COLUMNS;
      row[TRAIN_LOSS] = total / static_cast<double>(train->n);
      row[TRAIN_ACCURACY] = 100.0 * static_cast<double>(right) / static_cast<double>(train->n);
      row[TRAIN_SECONDS] = seconds;
      evaluate(network, *spec, *valid, labels, stop, &row[VALID_LOSS], &row[VALID_ACCURACY]);
      const bool finite = std::isfinite(row[TRAIN_LOSS]) && std::isfinite(row[VALID_LOSS]);
      double unused;
      if (finite && epoch == spec->epochs - 1)
        evaluate(network, *spec, *test, labels, stop, &unused, test_accuracy);
      *evaluation_seconds += now() - trained;
      if (*stop) return STOPPED;
      if (!finite) {
        *diverged = epoch + 1;
        *test_accuracy = std::numeric_limits<double>::quiet_NaN();
        for (int e = epoch; e < spec->epochs; e++) {
          for (int c = 0; c < TRAIN_SECONDS; c++)
            curves[e * COLUMNS + c] = std::numeric_limits<double>::quiet_NaN();
          curves[e * COLUMNS + TRAIN_SECONDS] = seconds;
        }
        break;
      }
    }
    std::copy(network.parameters(), network.parameters() + network.parameter_count(), parameters);
    if (statistics) network.running_statistics(statistics);
    return DONE;
  } catch (const std::exception& error) {
    return fail(error, message, capacity);
  }
}

// Mean loss of one batch, the whole of `train`, and its gradients in PyTorch's order.
int nasbench_gradients(const Spec* spec, const Edge* edges, const float* parameters,
                       const Split* train, double* loss, float* gradients, char* message,
                       int capacity) {
  try {
    Network network(*spec, edges);
    std::copy(parameters, parameters + network.parameter_count(), network.parameters());
    std::vector<int32_t> labels(train->n);
    gather(*spec, *train, 0, static_cast<int>(train->n), nullptr, nullptr, nullptr,
           network.images(), labels.data());
    int correct;
    network.pass(labels.data(), static_cast<int>(train->n), true, spec->label_smoothing, loss,
                 &correct);
    std::copy(network.gradients(), network.gradients() + network.parameter_count(), gradients);
    return DONE;
  } catch (const std::exception& error) {
    return fail(error, message, capacity);
  }
}

}  // extern "C"
#pragma GCC visibility pop
