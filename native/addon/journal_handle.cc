#include "addon/journal_handle.h"

#include <algorithm>

#include "addon/arguments.h"
#include "addon/environment.h"
#include "addon/promise.h"

namespace blockhaul {
namespace {

constexpr napi_type_tag kTag = {0x2f0c9b7d54e84a61, 0xb7d3c6a1925e4f08};
/// Checkpoints that JavaScript is told of: a resume looks at what the last few recorded.
constexpr std::size_t kToldCheckpoints = 16;

JournalHeader header_of(const Napi::Value& value) {
  const auto object = value.As<Napi::Object>();
  JournalHeader header;
  header.size = number_field(object, "size");
  header.base = number_field(object, "base");
  header.digest = digest_field(object, "digest");
  header.job = string_field(object, "job");
  return header;
}

Napi::Value to_js(Napi::Env env, const JournalContents& contents) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("size", to_number(env, contents.header.size));
  object.Set("base", to_number(env, contents.header.base));
  object.Set("digest", std::string(name_of(contents.header.digest)));
  object.Set("job", contents.header.job);
  object.Set("frontier", to_number(env, contents.frontier));
  Napi::Array checkpoints = Napi::Array::New(env);
  const std::size_t count = contents.checkpoints.size();
  for (std::size_t i = count - std::min(count, kToldCheckpoints); i < count; ++i)
    checkpoints.Set(checkpoints.Length(), to_number(env, contents.checkpoints[i].from));
  object.Set("checkpoints", checkpoints);
  object.Set("bad", to_js(env, contents.bad));
  Napi::Array notes = Napi::Array::New(env);
  for (const std::string& note : contents.notes) notes.Set(notes.Length(), note);
  object.Set("notes", notes);
  object.Set("torn", contents.torn);
  return object;
}

Napi::Value to_js(Napi::Env env, const std::vector<ChunkRun>& runs) {
  Napi::Array list = Napi::Array::New(env, runs.size());
  for (std::uint32_t i = 0; i < runs.size(); ++i) {
    Napi::Object run = Napi::Object::New(env);
    run.Set("count", to_number(env, runs[i].count));
    run.Set("digest", runs[i].value.hex());
    list.Set(i, run);
  }
  return list;
}

using Made = std::unique_ptr<Journal>;

Napi::Value promise_of_journal(Napi::Env env, std::function<Result<Made>()> make) {
  return promise_of<Made>(env, "", std::move(make), [](Napi::Env js, Made& made) -> Napi::Value {
    std::shared_ptr<Journal> journal = std::move(made);
    Napi::Object object = Environment::of(js).journal_class.New(
        {Napi::External<std::shared_ptr<Journal>>::New(js, &journal)});
    object.TypeTag(&kTag);
    return object;
  });
}

Napi::Value promise_of_nothing(Napi::Env env, std::function<Status()> work) {
  return promise_of<std::monostate>(
      env, "", std::move(work),
      [](Napi::Env js, std::monostate&) -> Napi::Value { return js.Undefined(); });
}

}  // namespace

Napi::Array to_js(Napi::Env env, const std::vector<Range>& ranges) {
  Napi::Array list = Napi::Array::New(env, ranges.size());
  for (std::uint32_t i = 0; i < ranges.size(); ++i) {
    Napi::Object range = Napi::Object::New(env);
    range.Set("offset", to_number(env, ranges[i].offset));
    range.Set("length", to_number(env, ranges[i].length));
    list.Set(i, range);
  }
  return list;
}

void JournalHandle::define(Napi::Env env) {
  Environment::of(env).journal_class =
      Napi::Persistent(DefineClass(env, "NativeJournal",
                                   {
                                       InstanceMethod<&JournalHandle::contents>("contents"),
                                       InstanceAccessor<&JournalHandle::frontier>("frontier"),
                                       InstanceMethod<&JournalHandle::append_note>("appendNote"),
                                       InstanceMethod<&JournalHandle::rewind>("rewind"),
                                       InstanceMethod<&JournalHandle::chunks>("chunks"),
                                       InstanceMethod<&JournalHandle::close>("close"),
                                   }));
}

Napi::Value JournalHandle::create(const Napi::CallbackInfo& call) {
  const std::string path = string_value(call[0], "path");
  return promise_of_journal(
      call.Env(), [path, header = header_of(call[1])] { return Journal::create(path, header); });
}

Napi::Value JournalHandle::create_temporary(const Napi::CallbackInfo& call) {
  const std::string folder = string_value(call[0], "folder");
  return promise_of_journal(call.Env(), [folder, header = header_of(call[1])] {
    return Journal::create_temporary(folder, header);
  });
}

Napi::Value JournalHandle::open(const Napi::CallbackInfo& call) {
  const std::string path = string_value(call[0], "path");
  return promise_of_journal(call.Env(), [path] { return Journal::open(path); });
}

Napi::Value JournalHandle::read(const Napi::CallbackInfo& call) {
  const std::string path = string_value(call[0], "path");
  return promise_of<JournalContents>(
      call.Env(), "", [path] { return Journal::read(path); },
      [](Napi::Env js, JournalContents& contents) { return to_js(js, contents); });
}

std::shared_ptr<Journal> JournalHandle::unwrap(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag))
    throw Napi::TypeError::New(value.Env(), "not a journal of blockhaul's");
  return Napi::ObjectWrap<JournalHandle>::Unwrap(value.As<Napi::Object>())
      ->open_journal(value.Env());
}

JournalHandle::JournalHandle(const Napi::CallbackInfo& call) : ObjectWrap(call) {
  if (!call[0].IsExternal())
    throw Napi::TypeError::New(call.Env(), "journals are opened, not constructed");
  journal_ = *call[0].As<Napi::External<std::shared_ptr<Journal>>>().Data();
}

std::shared_ptr<Journal> JournalHandle::open_journal(Napi::Env env) const {
  if (!journal_) throw Napi::TypeError::New(env, "the journal is closed");
  return journal_;
}

Napi::Value JournalHandle::contents(const Napi::CallbackInfo& call) {
  return to_js(call.Env(), open_journal(call.Env())->contents());
}

Napi::Value JournalHandle::frontier(const Napi::CallbackInfo& call) {
  return to_number(call.Env(), open_journal(call.Env())->frontier());
}

Napi::Value JournalHandle::append_note(const Napi::CallbackInfo& call) {
  return promise_of_nothing(
      call.Env(), [journal = open_journal(call.Env()), note = string_value(call[0], "note")] {
        return journal->append_note(note);
      });
}

Napi::Value JournalHandle::rewind(const Napi::CallbackInfo& call) {
  return promise_of_nothing(call.Env(), [journal = open_journal(call.Env()),
                                         frontier = whole_number(call[0], "frontier")] {
    return journal->rewind(frontier);
  });
}

Napi::Value JournalHandle::chunks(const Napi::CallbackInfo& call) {
  const std::uint64_t begin = whole_number(call[0], "begin");
  const std::uint64_t end = whole_number(call[1], "end");
  return promise_of<std::vector<ChunkRun>>(
      call.Env(), "",
      [=, journal = open_journal(call.Env())] { return journal->chunks(begin, end); },
      [](Napi::Env js, std::vector<ChunkRun>& runs) { return to_js(js, runs); });
}

Napi::Value JournalHandle::close(const Napi::CallbackInfo& call) {
  journal_.reset();
  return call.Env().Undefined();
}

}  // namespace blockhaul
