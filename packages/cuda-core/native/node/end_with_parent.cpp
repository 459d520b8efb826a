#include "node/end_with_parent.h"

#ifdef __linux__
#include <signal.h>
#include <sys/prctl.h>
#endif

namespace plumbline::node {

Napi::Value end_with_parent(const Napi::CallbackInfo& info) {
#ifdef __linux__
  // "Parent" is the thread that forked (prctl(2)): of a Node process the main thread, unless a worker thread spawns.
  return Napi::Boolean::New(info.Env(), prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
#else
  return Napi::Boolean::New(info.Env(), false);
#endif
}

}  // namespace plumbline::node
