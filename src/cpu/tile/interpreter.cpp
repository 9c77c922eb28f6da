// run(): programs over whole arrays, tile by tile.
#include <hwy/cache_control.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "core/threads.h"
#include "cpu/tile/bytecode.h"
#include "cpu/tile/machine.h"
#include "cpu/tile/moves.h"
#include "cpu/tile/plan.h"

namespace heddle::cpu::tile {
namespace {

bool is_output(const Bytecode& p, int r) {
  for (const Bytecode::Output& o : p.outputs) {
    if (o.source == r) return true;
  }
  return false;
}

// Kernels may take whole blocks of an operand from memory itself, unless a result is about to be
// stored there while the operand is still to be stored elsewhere.
bool usable_in_place(const Bytecode& program, int input, const Pattern& p) {
  return p.dense() && p.run % block == 0 &&
         fills_lane(program.inputs[static_cast<size_t>(input)]) &&
         (program.outputs.size() == 1 || !is_output(program, input));
}

// The last instruction may write to the result's memory: nothing is read after it.
bool last_gives_result(const Bytecode& program) {
  const Bytecode::Output& result = program.outputs[0];
  return program.outputs.size() == 1 && !program.code.empty() &&
         program.code.back().dst == result.source && fills_lane(result.dtype);
}

// Tiles so small that the registers of a program stay in the first-level cache: an optimizer's step
// over 17 registers takes 1.05 ns an element in tiles of 512, 1.18 in tiles of 1024.
int tile_limit(const Executable& e) {
  constexpr int cache_bytes = 40 << 10, smallest = 256;
  int limit = tile_size;
  while (limit > smallest && e.registers * e.slot_bytes * limit > cache_bytes) limit /= 2;
  return limit;
}

// Whether the next tile is worth fetching while one is computed: where the steps take long enough
// for memory to stand still meanwhile, and the operands are not in the cache anyway. On one core 10
// M parameters by Adam take 12.3 ms instead of 17.1, a chain of 10 operations over 16 M floats 16.0
// instead of 21.9, gelu 17.9 instead of 19.4; exp alone, which is one step, would take 9.4 instead
// of 6.7.
bool fetches_ahead(const Bytecode& program, const Executable& e, const Plan& plan) {
  constexpr size_t few_steps = 3;
  constexpr int64_t cached_bytes = 256 << 10;
  int64_t bytes = 0;
  for (Dtype t : program.inputs) bytes += static_cast<int64_t>(size_of(t));
  return e.steps.size() >= few_steps && plan.dims() == 1 &&
         bytes * plan.tiles() * plan.tile_elements() > cached_bytes;
}

// The work of one thread: a range of tiles.
class Runner {
 public:
  Runner(const Bytecode& program, const Executable& executable, const Kernels& k, const Plan& plan,
         const View* inputs, const View* outputs, bool stream)
      : program_(program),
        executable_(executable),
        kernels_(k),
        plan_(plan),
        inputs_(inputs),
        outputs_(outputs),
        stream_(stream),
        input_count_(static_cast<int>(program.inputs.size())),
        output_count_(static_cast<int>(program.outputs.size())),
        direct_result_(!stream && last_gives_result(program)),
        fetches_(fetches_ahead(program, executable, plan)),
        patterns_(new_patterns(input_count_ + output_count_)),
        registers_(executable, plan.tile_elements()) {}
  ~Runner() {
    if (patterns_ != local_) delete[] patterns_;
  }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  void run(int64_t begin, int64_t end) {
    Walk walk(plan_, begin);
    for (int64_t t = begin;;) {
      if (walk.resized()) {
        for (int i = 0; i < input_count_ + output_count_; i++)
          patterns_[i].of.prepare(plan_, walk, i);
      }
      const bool ahead = fetches_ && t + 1 != end;
      if (ahead) ahead_.start(static_cast<int>(executable_.steps.size()));
      for (int i = 0; i < input_count_; i++) {
        load(i, walk);
        if (ahead) fetch_next(i, walk);
      }
      void* result = direct_result_ ? result_in_place(walk) : nullptr;
      registers_.run(executable_, walk.elements(), result, ahead ? &ahead_ : nullptr);
      if (!result) {
        for (int i = 0; i < output_count_; i++) store(i, walk);
      }
      if (++t == end) break;
      walk.next();
    }
    if (stream_) hwy::FlushStream();
  }

 private:
  struct Operand {
    OperandPattern of;
    const void* loaded = nullptr;  // where the register's contents came from
  };

  Operand* new_patterns(int n) {
    return n <= local_patterns ? local_ : new Operand[static_cast<size_t>(n)];
  }

  void load(int i, const Walk& walk) {
    Operand& operand = patterns_[i];
    const Pattern& p = operand.of.get();
    const Dtype dtype = inputs_[i].dtype;
    const void* memory = advance(inputs_[i].data, walk.offset(i), size_of(dtype));
    if (usable_in_place(program_, i, p)) {
      registers_.point(i, memory);
      return;
    }
    if (operand.loaded == memory && !walk.resized()) return;  // broadcast by the outer dimensions
    registers_.point(i, registers_.own(i));
    read(kernels_, memory, dtype, p, registers_.own(i));
    operand.loaded = memory;
  }

  // The next tile of an operand that lies as one run.
  void fetch_next(int i, const Walk& walk) {
    if (!patterns_[i].of.get().dense()) return;
    const size_t item = size_of(inputs_[i].dtype), n = static_cast<size_t>(walk.elements());
    const void* memory = advance(inputs_[i].data, walk.offset(i), item);
    ahead_.add(static_cast<const char*>(memory) + n * item, n * item);
  }

  void* result_in_place(const Walk& walk) {
    const Pattern& p = patterns_[input_count_].of.get();
    if (!p.dense() || p.run % block != 0) return nullptr;
    return advance(outputs_[0].data, walk.offset(input_count_), size_of(outputs_[0].dtype));
  }

  void store(int i, const Walk& walk) {
    const Pattern& p = patterns_[input_count_ + i].of.get();
    const Dtype dtype = outputs_[i].dtype;
    void* memory = advance(outputs_[i].data, walk.offset(input_count_ + i), size_of(dtype));
    const void* lanes = registers_.get(program_.outputs[static_cast<size_t>(i)].source);
    write(kernels_, lanes, dtype, p, memory, stream_);
  }

  static constexpr int local_patterns = 6;

  const Bytecode& program_;
  const Executable& executable_;
  const Kernels& kernels_;
  const Plan& plan_;
  const View* inputs_;
  const View* outputs_;
  const bool stream_;
  const int input_count_;
  const int output_count_;
  const bool direct_result_;
  const bool fetches_;
  Ahead ahead_;
  Operand local_[local_patterns];
  Operand* patterns_;
  RegisterFile registers_;
};

// Streaming pays for large results that do not overwrite an operand (whose lines are in the cache
// anyway).
bool should_stream(const Bytecode& program, const View* inputs, const View* outputs,
                   int64_t elements) {
  if (outputs[0].dtype != program.outputs[0].dtype) return false;
  int64_t bytes = 0;
  for (size_t i = 0; i < program.outputs.size(); i++) {
    bytes += elements * static_cast<int64_t>(size_of(outputs[i].dtype));
    for (size_t j = 0; j < program.inputs.size(); j++) {
      if (inputs[j].data == outputs[i].data) return false;
    }
  }
  return bytes >= stream_bytes;
}

// The short way of small work: one tile, every operand with one stride, no plan. False, with
// nothing done, where that does not fit.
bool run_small(const Bytecode& program, int n, const View* inputs, const View* outputs,
               const Kernels& k) {
  constexpr size_t most = 16;
  const size_t input_count = program.inputs.size(), output_count = program.outputs.size();
  Pattern patterns[most];
  if (input_count + output_count > most) return false;
  for (size_t i = 0; i < input_count + output_count; i++) {
    const int64_t stride = even_stride(i < input_count ? inputs[i] : outputs[i - input_count]);
    if (stride == uneven) return false;
    patterns[i].stride = stride;
    patterns[i].run = n;
  }
  const Executable executable(program, k, output_count > 1);
  RegisterFile registers(executable, n);
  for (size_t i = 0; i < input_count; i++) {
    const int r = static_cast<int>(i);
    if (usable_in_place(program, r, patterns[i])) {
      registers.point(r, inputs[i].data);
    } else {
      read(k, inputs[i].data, inputs[i].dtype, patterns[i], registers.own(r));
    }
  }
  const Pattern* results = patterns + input_count;
  const bool in_place = results[0].dense() && n % block == 0 && last_gives_result(program);
  registers.run(executable, n, in_place ? outputs[0].data : nullptr);
  for (size_t i = 0; i < output_count && !in_place; i++) {
    write(k, registers.get(program.outputs[i].source), outputs[i].dtype, results[i],
          outputs[i].data, false);
  }
  return true;
}

// A job of several, and where its tiles stand among those of all.
struct Part {
  const Job& job;
  const Executable& executable;
  Plan plan;
  bool stream;
  int64_t first;
};

}  // namespace

void run(const Bytecode& program, const Shape& shape, const View* inputs, const View* outputs) {
  const int output_count = static_cast<int>(program.outputs.size());
  if (output_count == 0) return;
  const int64_t n = element_count(shape);
  if (n == 0) return;
  const Kernels& k = kernels();
  if (n <= tile_size && run_small(program, static_cast<int>(n), inputs, outputs, k)) return;
  const Executable executable(program, k, output_count > 1);
  const Plan plan(shape, inputs, static_cast<int>(program.inputs.size()), outputs, output_count,
                  tile_limit(executable));
  const bool stream = should_stream(program, inputs, outputs, n);
  const int64_t grain = std::max<int64_t>(1, parallel_grain / plan.tile_elements());
  parallel_for(plan.tiles(), grain, [&](int64_t begin, int64_t end) {
    Runner(program, executable, k, plan, inputs, outputs, stream).run(begin, end);
  });
}

void run(std::span<const Job> jobs) {
  if (jobs.size() == 1) {
    run(*jobs[0].program, *jobs[0].shape, jobs[0].inputs, jobs[0].outputs);
    return;
  }
  const Kernels& k = kernels();
  std::deque<Executable> executables;  // jobs in a row often have one program
  const Bytecode* last = nullptr;
  std::vector<Part> parts;
  parts.reserve(jobs.size());
  int64_t tiles = 0, elements = 0;
  for (const Job& job : jobs) {
    const int outputs = static_cast<int>(job.program->outputs.size());
    const int64_t n = element_count(*job.shape);
    if (outputs == 0 || n == 0) continue;
    if (last != job.program && (!last || !(*last == *job.program))) {
      executables.emplace_back(*job.program, k, outputs > 1);
      last = job.program;
    }
    const Executable& executable = executables.back();
    parts.push_back({job, executable,
                     Plan(*job.shape, job.inputs, static_cast<int>(job.program->inputs.size()),
                          job.outputs, outputs, tile_limit(executable)),
                     should_stream(*job.program, job.inputs, job.outputs, n), tiles});
    tiles += parts.back().plan.tiles();
    elements += n;
  }
  if (parts.empty()) return;
  const int64_t grain = std::max<int64_t>(1, parallel_grain * tiles / elements);
  parallel_for(tiles, grain, [&](int64_t begin, int64_t end) {
    auto after = std::upper_bound(parts.begin(), parts.end(), begin,
                                  [](int64_t tile, const Part& p) { return tile < p.first; });
    for (auto p = after - 1; p != parts.end() && p->first < end; ++p) {
      const Job& job = p->job;
      Runner(*job.program, p->executable, k, p->plan, job.inputs, job.outputs, p->stream)
          .run(std::max<int64_t>(begin - p->first, 0), std::min(end - p->first, p->plan.tiles()));
    }
  });
}

}  // namespace heddle::cpu::tile
