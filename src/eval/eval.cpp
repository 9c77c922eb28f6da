#include "eval/eval.h"

#include <algorithm>
#include <memory>

#include "core/per_thread.h"
#include "core/stream.h"
#include "eval/async.h"
#include "eval/run.h"

namespace heddle {
namespace {

struct Planned {
  Plan plan;
  Execution execution{plan};
};

// The thread's, with room from the evaluations before, so that a small one allocates little;
// another for an evaluation inside one.
class Workspace {
 public:
  Workspace() : work_(std::move(spare())) {
    if (!work_) work_ = std::make_unique<Planned>();
  }
  ~Workspace() {
    constexpr size_t most_room = 4096;
    work_->execution.clear();
    work_->plan.clear();
    if (work_->plan.entries.capacity() <= most_room) spare() = std::move(work_);
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  Planned* operator->() const { return work_.get(); }

 private:
  struct Spare {
    std::unique_ptr<Planned> work;
  };
  static std::unique_ptr<Planned>& spare() { return per_thread<Spare>().work; }
  std::unique_ptr<Planned> work_;
};

// False if it has to be tried again, after others have computed what was in the way.
bool try_to_evaluate(const Arrays& arrays) {
  Workspace work;
  Claim claim;
  Unfinished others;
  {
    GraphLock lock;
    if (!claim.is_nested()) others.wait_for_quiet();
    if (others.empty()) work->plan.make(arrays, claim, others);
    if (others.empty()) claim.begin();
  }
  if (!others.empty()) {
    others.wait();
    return false;
  }
  struct Ends {
    Claim& claim;
    ~Ends() { claim.end(); }
  } ends{claim};
  work->execution.run(claim);
  return !claim.robbed;
}

void evaluate(const Arrays& arrays) {
  while (!try_to_evaluate(arrays)) {
  }
}

bool all_available(const Arrays& arrays) {
  return std::all_of(arrays.begin(), arrays.end(),
                     [](const Array& a) { return !a || a.is_available(); });
}

}  // namespace

void eval(const Arrays& arrays) {
  if (all_available(arrays)) return;
  rethrow_async_error(arrays);
  try {
    evaluate(arrays);
  } catch (const WrongThread&) {
    // What another thread handed to the background is for everyone, once it is there.
    if (is_walking_or_evaluating()) throw;
    bool waited = false;
    wait_aside([&] { waited = wait_for_async(); });
    if (!waited) throw;
    rethrow_async_error(arrays);
    evaluate(arrays);
  }
}

void eval_own(const Arrays& arrays) {
  if (all_available(arrays)) return;
  rethrow_async_error(arrays);
  evaluate(arrays);
}

void Array::eval() const {
  if (!is_available()) heddle::eval(Arrays{*this});
}

}  // namespace heddle
