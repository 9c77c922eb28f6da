// Recurrent cells on their kernels.
#include <cstring>

#include "cpu/kernel.h"
#include "cpu/matmul.h"
#include "cpu/recurrent.h"
#include "cpu/scratch.h"
#include "ops/recurrent.h"

namespace heddle::cpu {
namespace {

RecurrentSizes sizes_of(Recurrence cell, const Node& x, const Node& h0) {
  return {cell, x.shape[0], x.shape[1], h0.shape[1]};
}

View dense(const float* data, Shape shape) {
  Strides strides = row_major_strides(shape);
  return {const_cast<float*>(data), Dtype::float32, std::move(shape), std::move(strides)};
}

View transposed(View v) {
  std::swap(v.shape[0], v.shape[1]);
  std::swap(v.strides[0], v.strides[1]);
  return v;
}

const RegisterKernel<Recurrent> recurrent_kernel([](const Work& w) {
  const Recurrence cell = op_of<Recurrent>(w).cell;
  for (size_t i = 0; i < w.outputs.size(); i++) w.output(i).allocate_dense();
  if (w.output().size() == 0) return;
  const Dense x(w.input(0)), wh(w.input(1)), h0(w.input(2)), extra(w.input(w.inputs.size() - 1));
  recurrent({sizes_of(cell, w.input(0), w.input(2)), x.as<float>(), wh.as<float>(), h0.as<float>(),
             extra.as<float>(), w.output().view().as<float>(),
             cell == Recurrence::lstm ? w.output(1).view().as<float>() : nullptr});
});

const RegisterKernel<RecurrentVJP> recurrent_vjp_kernel([](const Work& w) {
  const Recurrence cell = op_of<RecurrentVJP>(w).cell;
  const bool lstm = cell == Recurrence::lstm, gru = cell == Recurrence::gru;
  const RecurrentSizes sizes = sizes_of(cell, w.input(0), w.input(2));
  const int64_t B = sizes.batch, T = sizes.time, H = sizes.hidden, G = sizes.gates();
  for (size_t i = 0; i < w.outputs.size(); i++) {
    w.output(i).allocate_dense();
    std::memset(w.output(i).data, 0, w.output(i).nbytes());
  }
  if (B == 0 || H == 0) return;
  const size_t given = w.outputs.size();
  const Dense x(w.input(0)), wh(w.input(1)), h0(w.input(2)), extra(w.input(given - 1));
  const Dense hidden(w.input(given)), cells(w.input(lstm ? given + 1 : given));
  const Dense g_hidden(w.input(lstm ? given + 2 : given + 1)),
      g_cells(w.input(w.inputs.size() - 1));

  // The states before each step, and their part of the gates for all steps at once.
  Scratch previous(static_cast<size_t>(B * T * H) * sizeof(float));
  Scratch sums(static_cast<size_t>(B * T * G) * sizeof(float));
  Scratch g_own(gru ? static_cast<size_t>(B * T * G) * sizeof(float) : 0);
  for (int64_t b = 0; b < B; b++) {
    float* to = previous.as<float>() + b * T * H;
    std::memcpy(to, h0.as<float>() + b * H, static_cast<size_t>(H) * sizeof(float));
    std::memcpy(to + H, hidden.as<float>() + b * T * H,
                static_cast<size_t>((T - 1) * H) * sizeof(float));
  }
  const View states = dense(previous.as<float>(), {B * T, H});
  const View weights = dense(wh.as<float>(), {G, H});
  View addend = dense(x.as<float>(), {B * T, G});
  Scratch bias(static_cast<size_t>(G) * sizeof(float));
  if (gru) {
    std::memset(bias.data(), 0, static_cast<size_t>(2 * H) * sizeof(float));
    std::memcpy(bias.as<float>() + 2 * H, extra.as<float>(),
                static_cast<size_t>(H) * sizeof(float));
    addend = dense(bias.as<float>(), {B * T, G});
    addend.strides = {0, 1};
  }
  if (lstm || gru) {
    Epilogue epilogue;
    epilogue.addend = &addend;
    matmul(states, transposed(weights), dense(sums.as<float>(), {B * T, G}), epilogue);
  }

  float* g_x = w.output(0).view().as<float>();
  float* g_gates = gru ? g_own.as<float>() : g_x;
  recurrent_vjp({sizes, gru ? x.as<float>() : sums.as<float>(), sums.as<float>(), wh.as<float>(),
                 h0.as<float>(), extra.as<float>(), hidden.as<float>(), cells.as<float>(),
                 g_hidden.as<float>(), g_cells.as<float>(), g_x, g_gates,
                 w.output(2).view().as<float>(), lstm ? w.output(3).view().as<float>() : nullptr});
  const View g_sums = dense(g_gates, {B * T, G});
  matmul(transposed(g_sums), states, w.output(1).view());
  if (gru) {
    Scratch ones(static_cast<size_t>(B * T) * sizeof(float));
    for (int64_t i = 0; i < B * T; i++) ones.as<float>()[i] = 1;
    View of_n = dense(g_gates + 2 * H, {B * T, H});
    of_n.strides = {G, 1};
    matmul(dense(ones.as<float>(), {1, B * T}), of_n,
           dense(w.output(3).view().as<float>(), {1, H}));
  }
});

}  // namespace
}  // namespace heddle::cpu
