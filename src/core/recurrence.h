// The recurrent cells, shared by ops and kernels.
#pragma once

#include <array>

namespace heddle {

enum class Recurrence { rnn_tanh, rnn_relu, gru, lstm };

constexpr auto enum_names(Recurrence) { return std::array{"rnn_tanh", "rnn_relu", "gru", "lstm"}; }

// How many rows of the weights belong to each hidden unit.
constexpr int gates_of(Recurrence cell) {
  return cell == Recurrence::lstm ? 4 : cell == Recurrence::gru ? 3 : 1;
}

}  // namespace heddle
