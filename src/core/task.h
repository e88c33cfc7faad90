// The one coroutine type. Outside net/ and adapters/ nothing names Asio: code says Task and waits through ports.
#pragma once

#include <boost/asio/awaitable.hpp>

namespace infra {

template <typename T>
using Task = boost::asio::awaitable<T>;

}  // namespace infra
