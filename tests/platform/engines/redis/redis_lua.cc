// Lua's library is the one that is compiled as C++: its errors are exceptions, and leave no object behind.
#include "platform/engines/redis/redis_lua.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <lua.hpp>
#include <map>
#include <new>
#include <string_view>
#include <utility>

#include "platform/engines/redis/redis_commands.h"
#include "platform/engines/redis/redis_lua_json.h"

namespace infra::testing {

using net::RedisCommand;
using net::RedisReply;
using Type = RedisReply::Type;

namespace {

constexpr const char* kChunk = "@user_script";
const char kCallKey = 0;  // its address names the Call in Lua's registry

std::string text_at(lua_State* lua, int index) {
  std::size_t size = 0;
  const char* const text = lua_tolstring(lua, index, &size);
  return text == nullptr ? std::string() : std::string(text, size);
}

std::string field_text(lua_State* lua, int table, const char* name) {
  lua_pushstring(lua, name);
  lua_rawget(lua, table < 0 ? table - 1 : table);
  std::string text = text_at(lua, -1);
  lua_pop(lua, 1);
  return text;
}

void push_text(lua_State* lua, const std::string& text) {
  lua_pushlstring(lua, text.data(), text.size());
}

void push_single(lua_State* lua, const char* name, const std::string& text) {
  lua_newtable(lua);
  push_text(lua, text);
  lua_setfield(lua, -2, name);
}

void push_reply(lua_State* lua, const RedisReply& reply) {
  luaL_checkstack(lua, 4, "too deep");
  switch (reply.type) {
    case Type::nil:
      lua_pushboolean(lua, 0);
      return;
    case Type::status:
      push_single(lua, "ok", reply.text);
      return;
    case Type::error:
      push_single(lua, "err", reply.text);
      return;
    case Type::integer:
      lua_pushnumber(lua, static_cast<lua_Number>(reply.integer));
      return;
    case Type::text:
      push_text(lua, reply.text);
      return;
    case Type::array: {
      lua_newtable(lua);
      int index = 0;
      for (const RedisReply& each : reply.elements) {
        push_reply(lua, each);
        lua_rawseti(lua, -2, ++index);
      }
      return;
    }
  }
}

std::string on_one_line(std::string text) {
  std::ranges::replace_if(text, [](char c) { return c == '\r' || c == '\n'; }, ' ');
  return text;
}

// The value on top of the stack, which stays there.
RedisReply to_reply(lua_State* lua) {
  luaL_checkstack(lua, 4, "too deep");
  switch (lua_type(lua, -1)) {
    case LUA_TSTRING:
      return redis_reply::text(text_at(lua, -1));
    case LUA_TBOOLEAN:
      return lua_toboolean(lua, -1) != 0 ? redis_reply::integer(1) : redis_reply::nil();
    case LUA_TNUMBER:
      return redis_reply::integer(static_cast<std::int64_t>(lua_tonumber(lua, -1)));
    case LUA_TTABLE:
      break;
    default:
      return redis_reply::nil();
  }
  if (const std::string error = field_text(lua, -1, "err"); !error.empty()) {
    return redis_reply::error(on_one_line(error));
  }
  if (const std::string ok = field_text(lua, -1, "ok"); !ok.empty()) return redis_reply::status(on_one_line(ok));
  RedisReply reply = redis_reply::array();
  for (int i = 1;; ++i) {
    lua_rawgeti(lua, -1, i);
    const bool ends = lua_isnil(lua, -1);
    if (!ends) reply.elements.push_back(to_reply(lua));
    lua_pop(lua, 1);
    if (ends) return reply;
  }
}

RedisCommand words_on_stack(lua_State* lua) {
  RedisCommand words;
  for (int i = 1; i <= lua_gettop(lua); ++i) {
    if (lua_type(lua, i) == LUA_TNUMBER) {
      words.push_back(fmt::format("{:.17g}", lua_tonumber(lua, i)));
    } else if (lua_type(lua, i) == LUA_TSTRING) {
      words.push_back(text_at(lua, i));
    } else {
      return {};
    }
  }
  return words;
}

RedisReply ask(lua_State* lua) {
  RedisCommand words = words_on_stack(lua);
  if (words.empty()) {
    return redis_reply::error(lua_gettop(lua) == 0 ? "ERR Please specify at least one argument for this redis lib call"
                                                   : "ERR Lua redis lib command arguments must be strings or integers");
  }
  lua_pushlightuserdata(lua, const_cast<char*>(&kCallKey));
  lua_rawget(lua, LUA_REGISTRYINDEX);
  const auto& call = *static_cast<const RedisLua::Call*>(lua_touserdata(lua, -1));
  lua_pop(lua, 1);
  return call(words);
}

int pcall(lua_State* lua) {
  push_reply(lua, ask(lua));
  return 1;
}

int call(lua_State* lua) {
  const RedisReply reply = ask(lua);
  push_reply(lua, reply);
  if (reply.type == Type::error) return lua_error(lua);
  return 1;
}

// Redis' own pcall(): of an error of a command the words alone.
int plain_pcall(lua_State* lua) {
  lua_pushboolean(lua, 1);
  lua_insert(lua, 1);
  if (lua_gettop(lua) > 1 && lua_pcall(lua, lua_gettop(lua) - 2, LUA_MULTRET, 0) == 0) return lua_gettop(lua);
  if (lua_istable(lua, -1)) {
    lua_getfield(lua, -1, "err");
    if (lua_isstring(lua, -1) != 0) {
      lua_replace(lua, -2);
    } else {
      lua_pop(lua, 1);
    }
  }
  lua_pushboolean(lua, 0);
  lua_replace(lua, 1);
  return lua_gettop(lua);
}

int status_reply(lua_State* lua) {
  push_single(lua, "ok", luaL_checkstring(lua, 1));
  return 1;
}

// A first word that ends at a space is the error's kind.
int error_reply(lua_State* lua) {
  std::string_view words = luaL_checkstring(lua, 1);
  if (words.starts_with('-')) words.remove_prefix(1);
  push_single(lua, "err", words.contains(' ') ? std::string(words) : fmt::format("ERR {}", words));
  return 1;
}

int refuse_name(lua_State* lua) {
  not_simulated(fmt::format("a script's {}", lua_tostring(lua, 2)));
}

int refuse_global(lua_State* lua) {
  return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'", lua_tostring(lua, 2));
}

int refuse_new_global(lua_State* lua) {
  return luaL_error(lua, "Attempt to modify a readonly table");
}

// What a script throws becomes a table that says where.
int note_place(lua_State* lua) {
  if (!lua_istable(lua, 1)) {
    const std::string words = "ERR " + text_at(lua, 1);
    lua_settop(lua, 0);
    push_single(lua, "err", words);
  }
  lua_Debug place{};
  bool found = lua_getstack(lua, 1, &place) != 0 && lua_getinfo(lua, "nSl", &place) != 0;
  if (found && std::string_view(place.what) == "C") {
    found = lua_getstack(lua, 2, &place) != 0 && lua_getinfo(lua, "nSl", &place) != 0;
  }
  if (found) {
    lua_pushstring(lua, fmt::format("{}:{}", place.source, place.currentline).c_str());
    lua_setfield(lua, 1, "place");
  }
  return 1;
}

void open(lua_State* lua, lua_CFunction library, const char* name) {
  lua_pushcfunction(lua, library);
  lua_pushstring(lua, name);
  lua_call(lua, 1, 0);
}

// The table on top of the stack answers for names that it does not have.
void guard(lua_State* lua, lua_CFunction on_read, lua_CFunction on_write) {
  lua_newtable(lua);
  lua_pushcfunction(lua, on_read);
  lua_setfield(lua, -2, "__index");
  if (on_write != nullptr) {
    lua_pushcfunction(lua, on_write);
    lua_setfield(lua, -2, "__newindex");
  }
  lua_setmetatable(lua, -2);
}

void give_library(lua_State* lua, const char* name, const std::map<std::string, lua_CFunction>& functions) {
  lua_newtable(lua);
  for (const auto& [function, body] : functions) {
    lua_pushcfunction(lua, body);
    lua_setfield(lua, -2, function.c_str());
  }
  guard(lua, refuse_name, nullptr);
  lua_setglobal(lua, name);
}

// Randomness and the world outside are not a script's.
void take_away(lua_State* lua) {
  for (const char* const name : {"dofile", "loadfile", "print", "require", "module"}) {
    lua_pushnil(lua);
    lua_setglobal(lua, name);
  }
  lua_getglobal(lua, "math");
  for (const char* const name : {"random", "randomseed"}) {
    lua_pushnil(lua);
    lua_setfield(lua, -2, name);
  }
  guard(lua, refuse_name, nullptr);
  lua_pop(lua, 1);
}

void set_list(lua_State* lua, const char* name, const std::vector<std::string>& texts) {
  lua_pushstring(lua, name);
  lua_newtable(lua);
  int index = 0;
  for (const std::string& text : texts) {
    push_text(lua, text);
    lua_rawseti(lua, -2, ++index);
  }
  lua_rawset(lua, LUA_GLOBALSINDEX);
}

}  // namespace

struct RedisLua::State {
  explicit State(Call given) : ask(std::move(given)), lua(luaL_newstate()) {
    if (lua == nullptr) throw std::bad_alloc();
    open(lua, luaopen_base, "");
    open(lua, luaopen_table, LUA_TABLIBNAME);
    open(lua, luaopen_string, LUA_STRLIBNAME);
    open(lua, luaopen_math, LUA_MATHLIBNAME);
    lua_pushcfunction(lua, plain_pcall);
    lua_setglobal(lua, "pcall");
    take_away(lua);
    give_library(lua, "redis",
                 {{"call", call}, {"pcall", pcall}, {"status_reply", status_reply}, {"error_reply", error_reply}});
    give_library(lua, "cjson", {{"decode", redis_lua_decode_json}});
    lua_pushlightuserdata(lua, const_cast<char*>(&kCallKey));
    lua_pushlightuserdata(lua, &ask);
    lua_rawset(lua, LUA_REGISTRYINDEX);
    lua_pushvalue(lua, LUA_GLOBALSINDEX);
    guard(lua, refuse_global, refuse_new_global);
    lua_pop(lua, 1);
  }
  ~State() { lua_close(lua); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // Empty, or what is wrong with the source; else its function is on the stack.
  std::string push_function(const net::RedisScript& script) {
    const auto known = functions.find(script.sha1());
    if (known != functions.end()) {
      lua_rawgeti(lua, LUA_REGISTRYINDEX, known->second);
      return {};
    }
    const std::string& source = script.source();
    if (luaL_loadbuffer(lua, source.data(), source.size(), kChunk) != 0) {
      std::string words = text_at(lua, -1);
      return fmt::format("ERR Error compiling script (new function): {}", words);
    }
    lua_pushvalue(lua, -1);
    functions[script.sha1()] = luaL_ref(lua, LUA_REGISTRYINDEX);
    return {};
  }

  Call ask;
  lua_State* lua;
  std::map<std::string, int> functions;  // by SHA-1: its place in Lua's registry
};

RedisLua::RedisLua(Call call) : state_(std::make_unique<State>(std::move(call))) {}
RedisLua::~RedisLua() = default;

RedisReply RedisLua::run(const net::RedisScript& script, const std::vector<std::string>& keys,
                         const std::vector<std::string>& arguments) {
  lua_State* const lua = state_->lua;
  lua_settop(lua, 0);
  lua_pushcfunction(lua, note_place);
  if (const std::string wrong = state_->push_function(script); !wrong.empty()) return redis_reply::error(wrong);
  set_list(lua, "KEYS", keys);
  set_list(lua, "ARGV", arguments);
  RedisReply reply;
  if (lua_pcall(lua, 0, 1, 1) == 0) {
    reply = to_reply(lua);
  } else {
    const std::string place = field_text(lua, -1, "place");
    reply = redis_reply::error(on_one_line(fmt::format("{} script: {}{}", field_text(lua, -1, "err"), script.sha1(),
                                                       place.empty() ? "." : fmt::format(", on {}.", place))));
  }
  lua_settop(lua, 0);
  return reply;
}

}  // namespace infra::testing
