#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <optional>
#include <vector>

#include "Internal.h"

namespace quickstep {
namespace {
thread_local std::string last_error;
thread_local std::vector<std::optional<std::string>> scopes;
thread_local std::string closed_scope;
}  // namespace

void note(const std::string &message) { last_error = message; }

void record(const std::string &message) {
  note(message);
  if (!scopes.empty() && !scopes.back()) scopes.back() = message;
}

std::string current_message() {
  try {
    throw;
  } catch (const c10::Error &error) {
    return error.what_without_backtrace();
  } catch (const std::bad_alloc &) {
    return "out of memory";
  } catch (const std::exception &error) {
    return error.what();
  } catch (...) {
    return "unknown failure";
  }
}
}  // namespace quickstep

using namespace quickstep;

const char *qs_last_error(void) { return last_error.c_str(); }

void qs_error_scope_begin(void) { scopes.emplace_back(); }

const char *qs_error_scope_end(void) {
  if (scopes.empty()) return nullptr;
  auto message = std::move(scopes.back());
  scopes.pop_back();
  if (!message) return nullptr;
  closed_scope = std::move(*message);
  return closed_scope.c_str();
}

void qs_error_record(const char *message) { record(message); }
