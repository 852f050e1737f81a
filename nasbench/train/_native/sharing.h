// The engine's C interface for shared weights: train along paths, and score paths.
//
// `runs` [...][spec.edges] says for each edge of the cell whether it does.
#pragma once
#include "caller.h"
#include "paths.h"

#pragma GCC visibility push(default)
extern "C" {

// Train along paths: those of a step (`together`) see one batch, their gradients are summed.
//   runs [steps][together][edges]; order [steps][batch_size], -1 where a batch is short;
//   shifts [steps][batch_size][2] or null, flips [steps][batch_size] or null; rates [steps];
//   trained [parameters]: 0 of weights that stay; stop: set by the caller to end early.
//   In and out: parameters, velocity and statistics, see Layers::running_statistics.
//   Out: losses [steps][together], and on failure a message.
int nasbench_paths_train(const Spec* spec, const Edge* edges, const uint8_t* runs, int32_t steps,
                         int32_t together, float* parameters, float* velocity, float* statistics,
                         const uint8_t* trained, const Split* train, const int64_t* order,
                         const int64_t* shifts, const uint8_t* flips, const float* rates,
                         const volatile int32_t* stop, double* losses, char* message,
                         int capacity) {
  try {
    PathNetwork network(*spec, edges);
    std::copy(parameters, parameters + network.parameter_count(), network.parameters());
    network.set_running_statistics(statistics);
    std::vector<int32_t> labels(std::max(spec->batch_size, LANES));
    std::vector<float> total(network.parameter_count());
    for (int64_t step = 0; step < steps; step++) {
      const int64_t begin = step * spec->batch_size;
      int n = 0;
      while (n < spec->batch_size && order[begin + n] >= 0) n++;
      gather(*spec, *train, begin, n, order, shifts, flips, network.images(), labels.data());
      std::fill(total.begin(), total.end(), 0.0f);
      for (int64_t k = step * together; k < (step + 1) * together; k++) {
        if (*stop) return STOPPED;
        network.select(runs + k * spec->edges);
        int correct;
        network.pass(labels.data(), n, true, spec->label_smoothing, &losses[k], &correct);
        network.add_gradients(total);
      }
      network.move(total, trained, rates[step], velocity);
    }
    std::copy(network.parameters(), network.parameters() + network.parameter_count(), parameters);
    network.running_statistics(statistics);
    return DONE;
  } catch (const std::exception& error) {
    return fail(error, message, capacity);
  }
}

// Score paths, runs [paths][edges], on images in parts [begin, end) of `bounds` [parts + 1].
//   statistics: running ones, by which BatchNorm goes, or null; fit: images whose statistics it
//   takes along each path, or null; without both it goes by those of each part.
//   Out: losses and accuracies (percent) [paths].
int nasbench_paths_score(const Spec* spec, const Edge* edges, const uint8_t* runs, int64_t paths,
                         const float* parameters, const float* statistics, const Split* images,
                         const Split* fit, const int64_t* bounds, int32_t parts,
                         const volatile int32_t* stop, double* losses, double* accuracies,
                         char* message, int capacity) {
  try {
    PathNetwork network(*spec, edges);
    std::copy(parameters, parameters + network.parameter_count(), network.parameters());
    if (statistics) network.set_running_statistics(statistics);
    std::vector<int32_t> labels(spec->batch_size + LANES);
    for (int64_t path = 0; path < paths; path++) {
      network.select(runs + path * spec->edges);
      if (fit) {
        gather(*spec, *fit, 0, static_cast<int>(fit->n), nullptr, nullptr, nullptr,
               network.images(), labels.data());
        network.recalibrate(static_cast<int>(fit->n));
      }
      double total = 0;
      int64_t right = 0;
      for (int part = 0; part < parts; part++) {
        if (*stop) return STOPPED;
        const int n = static_cast<int>(bounds[part + 1] - bounds[part]);
        if (fit || parts > 1 || !path)  // else the images lie there
          gather(*spec, *images, bounds[part], n, nullptr, nullptr, nullptr, network.images(),
                 labels.data());
        double loss;
        int correct;
        network.score(labels.data(), n, !statistics && !fit, &loss, &correct);
        total += loss * n;
        right += correct;
      }
      losses[path] = total / static_cast<double>(images->n);
      accuracies[path] = 100.0 * static_cast<double>(right) / static_cast<double>(images->n);
    }
    return DONE;
  } catch (const std::exception& error) {
    return fail(error, message, capacity);
  }
}

}  // extern "C"
#pragma GCC visibility pop
