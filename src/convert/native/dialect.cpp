#include "convert/native/dialect.h"

#include "convert/mlxfn/primitives.h"
#include "convert/recorder.h"

namespace heddle::convert::native {
namespace {

Arrays read(const Reading& r) {
  const OpRef op = find_op(r.call.name)->make(r.attributes);
  return apply_multi(op, r.in, r.stream);
}

std::vector<int> write(const Writing& w) {
  return w.to.emit(w.op.name(), w.op.attributes(), w.in, w.out);
}

class Own : public Dialect {
 public:
  const char* name() const override { return "heddle"; }
  const ReaderRow* reader(const std::string& call) const override {
    static const ReaderRow row{0, -1, read};
    const OpInfo* info = find_op(call);
    return info && info->make ? &row : nullptr;
  }
  const WriterRow* writer(const Op& op) const override {
    static const WriterRow row{write};
    return op.info().make ? &row : nullptr;
  }
  bool follows_shapes(const Call& call) const override {
    const OpInfo* info = find_op(call.name);
    return !info || info->make(call.attributes)->follows_shapes();
  }
  bool holds_following_numbers() const override { return true; }
};

class Version1 final : public Own {
 public:
  const ReaderRow* reader(const std::string& call) const override {
    const ReaderRow* row = mlxfn::dialect().reader(call);
    return row ? row : Own::reader(call);
  }
  bool follows_shapes(const Call& call) const override {
    return mlxfn::dialect().reader(call.name) ? mlxfn::dialect().follows_shapes(call)
                                              : Own::follows_shapes(call);
  }
};

}  // namespace

const Dialect& dialect() {
  static const Own own;
  return own;
}
const Dialect& version_1() {
  static const Version1 own;
  return own;
}

}  // namespace heddle::convert::native
