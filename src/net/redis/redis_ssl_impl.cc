// Asio's TLS compiled once, as the rest of Asio is in pch.cc: here, because only Redis' connections use it.
#include <boost/asio/ssl/impl/src.hpp>
