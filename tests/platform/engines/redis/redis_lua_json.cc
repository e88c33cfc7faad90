#include "platform/engines/redis/redis_lua_json.h"

#include <boost/json.hpp>
#include <lua.hpp>
#include <string>

namespace infra::testing {
namespace {

namespace json = boost::json;

void push(lua_State* lua, const json::value& value) {
  luaL_checkstack(lua, 4, "too deep");
  switch (value.kind()) {
    case json::kind::null:
      lua_pushlightuserdata(lua, nullptr);  // cjson.null
      return;
    case json::kind::bool_:
      lua_pushboolean(lua, value.get_bool() ? 1 : 0);
      return;
    case json::kind::string:
      lua_pushlstring(lua, value.get_string().data(), value.get_string().size());
      return;
    case json::kind::array: {
      lua_newtable(lua);
      int index = 0;
      for (const json::value& each : value.get_array()) {
        push(lua, each);
        lua_rawseti(lua, -2, ++index);
      }
      return;
    }
    case json::kind::object:
      lua_newtable(lua);
      for (const auto& [name, each] : value.get_object()) {
        lua_pushlstring(lua, name.data(), name.size());
        push(lua, each);
        lua_rawset(lua, -3);
      }
      return;
    default:
      lua_pushnumber(lua, value.to_number<double>());
  }
}

}  // namespace

int redis_lua_decode_json(lua_State* lua) {
  std::size_t size = 0;
  const char* const text = luaL_checklstring(lua, 1, &size);
  boost::system::error_code broken;
  const json::value value = json::parse(json::string_view(text, size), broken);
  if (broken) return luaL_error(lua, "what is to be decoded is no JSON");
  push(lua, value);
  return 1;
}

}  // namespace infra::testing
