// cjson.decode, as the worker registry's script asks it.
#pragma once

struct lua_State;

namespace infra::testing {

// Takes a text, and leaves its value on the stack; what can't be read is a Lua error. Its words are not cjson's.
int redis_lua_decode_json(lua_State* lua);

}  // namespace infra::testing
