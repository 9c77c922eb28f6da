// copy(): elements moved between layouts, with conversion where the dtypes differ.
#include <hwy/cache_control.h>

#include <cstring>

#include "core/threads.h"
#include "cpu/tile/bytecode.h"
#include "cpu/tile/moves.h"
#include "cpu/tile/plan.h"

namespace heddle::cpu::tile {
namespace {

constexpr int copy_bytes = 4096;  // of a tile, which needs no registers: 64 x 64 bytes for bytes

void convert(const View& src, const View& dst) {
  Bytecode program;
  program.inputs = {src.dtype};
  program.code = {{Code::copy, src.dtype, dst.dtype, 1, 0, 0, 0}};
  program.outputs = {{1, dst.dtype}};
  program.registers = 2;
  run(program, dst.shape, &src, &dst);
}

void move_tiles(const Plan& plan, const View& src, const View& dst, bool stream, int64_t begin,
                int64_t end) {
  const size_t width = size_of(src.dtype);
  alignas(64) unsigned char dense[copy_bytes];
  OperandPattern from, to;
  Walk walk(plan, begin);
  for (int64_t t = begin;;) {
    if (walk.resized()) {
      from.prepare(plan, walk, 0);
      to.prepare(plan, walk, 1);
    }
    const void* source = advance(src.data, walk.offset(0), width);
    void* target = advance(dst.data, walk.offset(1), width);
    if (to.get().dense() && !stream) {
      gather(width, source, from.get(), target);
    } else if (from.get().dense()) {
      scatter(width, source, to.get(), target, stream);
    } else {
      gather(width, source, from.get(), dense);
      scatter(width, dense, to.get(), target, stream);
    }
    if (++t == end) break;
    walk.next();
  }
  if (stream) hwy::FlushStream();
}

}  // namespace

void copy(const View& src, const View& dst) {
  if (src.dtype != dst.dtype) return convert(src, dst);
  const int64_t width = static_cast<int64_t>(size_of(src.dtype)), bytes = dst.size() * width;
  const Plan plan(dst.shape, &src, 1, &dst, 1, static_cast<int>(copy_bytes / width));
  if (plan.tiles() == 0) return;
  const bool stream = bytes >= stream_bytes;
  const int64_t grain = std::max<int64_t>(1, 4 * parallel_grain / (plan.tile_elements() * width));
  parallel_for(plan.tiles(), grain,
               [&](int64_t begin, int64_t end) { move_tiles(plan, src, dst, stream, begin, end); });
}

}  // namespace heddle::cpu::tile
