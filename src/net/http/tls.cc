#include "net/http/tls.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>

#include <algorithm>
#include <limits>
#include <new>
#include <string_view>

#include "core/operator_error_codes.h"

namespace infra::net {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <typename Thing>
using Owned = std::unique_ptr<Thing, Free>;

std::unexpected<Error> invalid(std::string_view what) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return fail(errors::invalid_tls,
              reason == nullptr ? fmt::format("{}.", what) : fmt::format("{} ({}).", what, reason));
}

Owned<BIO> reader_of(const std::string& pem) {
  Owned<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (bio == nullptr) throw std::bad_alloc();
  return bio;
}

// A key with a password would have OpenSSL ask the terminal.
int no_password(char*, int, int, void*) {
  return -1;
}

Result<void> use_certificate(SSL_CTX* context, const std::string& pem) {
  const auto reader = reader_of(pem);
  const Owned<X509> own(PEM_read_bio_X509_AUX(reader.get(), nullptr, no_password, nullptr));
  if (own == nullptr) return invalid("TLS_CERT_FILE has no certificate in PEM");
  if (SSL_CTX_use_certificate(context, own.get()) != 1)
    return invalid("The certificate in TLS_CERT_FILE can't be used");
  while (Owned<X509> next{PEM_read_bio_X509(reader.get(), nullptr, no_password, nullptr)}) {
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) return invalid("The chain in TLS_CERT_FILE can't be used");
  }
  ERR_clear_error();  // the end of the chain
  return {};
}

Result<void> use_key(SSL_CTX* context, const std::string& pem) {
  const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(reader_of(pem).get(), nullptr, no_password, nullptr));
  if (key == nullptr) return invalid("TLS_KEY_FILE has no key in PEM that can be read without a password");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
    return invalid("The key in TLS_KEY_FILE is not that of the certificate in TLS_CERT_FILE");
  return {};
}

// HTTP/1.1 is all that there is.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered,
                    unsigned int offered_length, void*) {
  static constexpr std::string_view kHttp = "\x08http/1.1";
  const std::string_view list(reinterpret_cast<const char*>(offered), offered_length);
  for (std::size_t at = 0; at < list.size(); at += 1 + static_cast<unsigned char>(list[at])) {
    if (!list.substr(at).starts_with(kHttp)) continue;
    *chosen = offered + at + 1;
    *length = static_cast<unsigned char>(kHttp.size() - 1);
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

int as_int(std::size_t size) {
  return static_cast<int>(std::min<std::size_t>(size, std::numeric_limits<int>::max()));
}

}  // namespace

TlsContext::TlsContext() : context_(SSL_CTX_new(TLS_server_method())) {
  if (context_ == nullptr) throw std::bad_alloc();
  SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
  SSL_CTX_set_options(context_, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // What is written again after a wait may lie elsewhere, and be less; an idle connection keeps no buffers.
  SSL_CTX_set_mode(context_,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context_, choose_protocol, nullptr);
}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

Result<std::shared_ptr<const TlsContext>> TlsContext::create(const TlsPem& pem) {
  ERR_clear_error();
  std::shared_ptr<const TlsContext> made(new TlsContext);
  if (auto used = use_certificate(made->context_, pem.certificate); !used) return fail(used.error());
  if (auto used = use_key(made->context_, pem.key); !used) return fail(used.error());
  return made;
}

// It keeps the context alive, however soon another takes its place.
TlsStream::TlsStream(const TlsContext& context, int socket) : ssl_(SSL_new(context.context_)) {
  if (ssl_ == nullptr || SSL_set_fd(ssl_, socket) != 1) throw std::bad_alloc();
  SSL_set_accept_state(ssl_);
}

TlsStream::~TlsStream() {
  SSL_free(ssl_);
}

TlsStream::Step TlsStream::shake_hands() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) return Step::done;
  const auto reason = ERR_GET_REASON(ERR_peek_error());
  const Step step = step_after(result);
  ended_ = step == Step::end;
  return step == Step::end && reason == SSL_R_HTTP_REQUEST ? Step::plain_http : step;
}

TlsStream::Moved TlsStream::read(std::span<char> into) {
  ERR_clear_error();
  const int got = SSL_read(ssl_, into.data(), as_int(into.size()));
  if (got > 0) return {.step = Step::done, .bytes = static_cast<std::size_t>(got)};
  return {.step = step_after(got)};
}

TlsStream::Moved TlsStream::write(std::span<const char> bytes) {
  ERR_clear_error();
  const int sent = SSL_write(ssl_, bytes.data(), as_int(bytes.size()));
  if (sent > 0) return {.step = Step::done, .bytes = static_cast<std::size_t>(sent)};
  const Step step = step_after(sent);
  if (step == Step::end) ended_ = true;
  return {.step = step};
}

void TlsStream::say_goodbye() {
  if (std::exchange(ended_, true)) return;
  ERR_clear_error();
  (void)SSL_shutdown(ssl_);
  ERR_clear_error();
}

TlsStream::Step TlsStream::step_after(int result) const {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return Step::read;
    case SSL_ERROR_WANT_WRITE:
      return Step::write;
    default:
      ERR_clear_error();
      return Step::end;
  }
}

}  // namespace infra::net
