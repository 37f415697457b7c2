// zlib for Swift: `inflateInit2` is a macro, which Swift does not see.
#include <zlib.h>

// `window_bits` as zlib has them: 15 for a zlib stream, -15 for a bare deflate stream, 31 for gzip.
static inline int millrace_inflate_init(z_stream *stream, int window_bits) {
    return inflateInit2(stream, window_bits);
}
