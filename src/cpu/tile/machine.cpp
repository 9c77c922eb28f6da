#include "cpu/tile/machine.h"

#include <stdexcept>
#include <string>

namespace heddle::cpu::tile {
namespace {

bool gives_bool(Code c) {
  return c == Code::is_nan || c == Code::is_inf || c == Code::logical_not ||
         (c >= Code::equal && c <= Code::logical_or);
}

// True if the result of `c` is a value of the operands' dtype without rounding: one of them, one
// with the sign changed, or (for floats) an integer next to one.
bool stays_in_dtype(Code c, Dtype t) {
  switch (c) {
    case Code::maximum:
    case Code::minimum:
    case Code::select:
    case Code::sign:
    case Code::floor:
    case Code::ceil:
    case Code::round:
    case Code::bitwise_and:
    case Code::bitwise_or:
    case Code::bitwise_xor:
      return true;
    case Code::abs:
    case Code::negative:
      return is_floating(t);
    default:
      return false;
  }
}

Lane result_lane(Code c, Lane from) {
  if (gives_bool(c)) return Lane::i32;
  if (c == Code::abs || c == Code::real || c == Code::imag) {
    return from == Lane::c64 ? Lane::f32 : from;
  }
  return from;
}

[[noreturn]] void refuse(const Instruction& i) {
  throw std::invalid_argument("[tile] Operation " + std::to_string(static_cast<int>(i.code)) +
                              " is not defined for " + std::string(name_of(i.from)) + ".");
}

}  // namespace

Executable::Executable(const Bytecode& program, const Kernels& k, bool exact_output)
    : registers(program.registers + 1), slot_bytes(4) {
  const Register spare = static_cast<Register>(program.registers);
  auto cast = [&](Lane from, Lane to, Dtype t) {
    const bool to_half = is_half(t) && from != Lane::f32 && from != Lane::c64;
    return to_half ? k.cast_to_half[static_cast<int>(from)]
                   : k.cast[static_cast<int>(from)][static_cast<int>(to)];
  };
  auto use = [&](Dtype t) {
    if (lane_bytes(lane_of(t)) == 8) slot_bytes = 8;
  };
  for (Dtype t : program.inputs) use(t);
  steps.reserve(program.code.size());

  for (size_t index = 0; index < program.code.size(); index++) {
    const Instruction& i = program.code[index];
    use(i.from);
    use(i.to);
    const Lane from = lane_of(i.from), to = lane_of(i.to);
    const bool last = index + 1 == program.code.size() && !exact_output;
    Kernel round = last ? nullptr : k.round[static_cast<int>(i.to)];
    Kernel kernel = k.compute[static_cast<int>(i.code)][static_cast<int>(from)];
    Lane lane = from;

    // Most instructions: one dtype that fills its lane, in and out.
    if (i.from == i.to && kernel && !round && i.to != bool_ && from != Lane::c64 &&
        i.code != Code::select) {
      steps.push_back({kernel, nullptr, i.dst, i.a, i.b, i.c});
      continue;
    }
    if (i.code == Code::copy) {
      if (i.to == bool_ && i.from != bool_) {
        kernel = k.to_bool[static_cast<int>(from)];
        round = nullptr;
      } else {
        // A float holds small integers, and large ones are infinite as float16.
        const bool once = is_integer(i.from) && (size_of(i.from) <= 2 || i.to == float16);
        kernel = cast(from, to, once || i.from == bool_ ? Dtype::float32 : i.to);
        if (i.from == i.to) round = nullptr;
        if (from == to && round) kernel = round, round = nullptr;  // rounds on the way
      }
      lane = to;
    } else {
      Code code = i.code;
      if (code == Code::bitwise_invert && i.from == bool_) {
        code = Code::logical_not;
        kernel = k.compute[static_cast<int>(code)][static_cast<int>(from)];
      }
      lane = result_lane(code, from);
      if (!kernel) refuse(i);
      if (i.to == bool_ ? gives_bool(code) : i.from == i.to && stays_in_dtype(code, i.from)) {
        round = nullptr;
      }
    }

    // A wider result may not be written over the operands: it goes by way of the spare register.
    const bool widens = i.code == Code::select
                            ? lane_bytes(lane) == 8 && i.dst == i.a
                            : lane_bytes(lane) > lane_bytes(from) && i.dst == i.a;
    if (lane != to) {
      if (i.to == bool_) round = nullptr;
      steps.push_back({kernel, nullptr, spare, i.a, i.b, i.c});
      steps.push_back({i.to == bool_ ? k.to_bool[static_cast<int>(lane)] : cast(lane, to, i.to),
                       round, i.dst, spare, spare, spare});
    } else if (widens) {
      steps.push_back({kernel, round, spare, i.a, i.b, i.c});
      steps.push_back({cast(to, to, i.to), nullptr, i.dst, spare, spare, spare});
    } else {
      steps.push_back({kernel, round, i.dst, i.a, i.b, i.c});
    }
  }
}

RegisterFile::RegisterFile(const Executable& e, int tile)
    : bytes_(
          (static_cast<size_t>(round_up_to_block(tile)) * static_cast<size_t>(e.slot_bytes) + 63) &
          ~size_t{63}),
      memory_(bytes_ * static_cast<size_t>(e.registers)),
      base_(memory_) {
  at_.reserve(static_cast<size_t>(e.registers));
  for (int r = 0; r < e.registers; r++) at_.push_back(own(r));
}

}  // namespace heddle::cpu::tile
