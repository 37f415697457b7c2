// libcurl for Swift: its setters and getters are variadic, which Swift cannot call, so each argument type that D360
// uses gets a function of its own here. The type-checking macros of the header only work on literal options.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

static inline CURLcode d360_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode d360_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}
// libcurl copies strings.
static inline CURLcode d360_set_string(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}
// libcurl keeps the pointer: it must outlive the transfer.
static inline CURLcode d360_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}
// The read, write and header callbacks have one shape.
typedef size_t (*d360_data_callback)(char *bytes, size_t size, size_t count, void *context);
static inline CURLcode d360_set_callback(CURL *easy, CURLoption option, d360_data_callback callback) {
    return curl_easy_setopt(easy, option, callback);
}
static inline CURLcode d360_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}
static inline CURLMcode d360_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}
// Result of a CURLMSG_DONE message; Swift cannot reach into the message's union safely.
static inline CURLcode d360_message_result(const CURLMsg *message) { return message->data.result; }
