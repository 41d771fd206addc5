/* "2 x 2 max pooling (ceil mode), ReLU" of pictures [picture][row][column][channel], forward and
 * backward, in float32 and in bfloat16, on one thread. Numbers are only selected and never added,
 * so that the results are those of any other implementation.
 *
 * Of the four positions, in the order of reading, the first of the largest is chosen, or the last
 * that is NaN, as by torch; `chosen` keeps which it was.
 */

#include <stdint.h>
#include <string.h>

#define LANES 16 /* channels at a time */
#define DEAD 4   /* of the four positions none: ReLU is 0 there */

typedef uint16_t bfloat;
typedef float floats __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef bfloat bfloats __attribute__((vector_size(2 * LANES)));
typedef uint8_t bytes __attribute__((vector_size(LANES)));

#define INLINE static inline __attribute__((always_inline))

/* `some` numbers to vectors of float32 as bits, and back; LANES of them at most, the rest is 0. */
INLINE ints load_float(const float *from, int some) {
    ints to = {0};
    memcpy(&to, from, some * sizeof *from);
    return to;
}

INLINE void store_float(float *to, ints from, int some) { memcpy(to, &from, some * sizeof *to); }

INLINE ints load_bfloat(const bfloat *from, int some) {
    bfloats half = {0};
    memcpy(&half, from, some * sizeof *from);
    return __builtin_convertvector(half, ints) << 16;
}

INLINE void store_bfloat(bfloat *to, ints from, int some) {
    bfloats half = __builtin_convertvector(from >> 16, bfloats);
    memcpy(to, &half, some * sizeof *to);
}

INLINE ints choose(ints mask, ints yes, ints no) { return (mask & yes) | (~mask & no); }

INLINE void take(ints *best, ints *which, ints other, int place) {
    floats a = (floats)*best, b = (floats)other;
    ints larger = (b > a) | (b != b);
    *best = choose(larger, other, *best);
    *which = choose(larger, (ints){0} + place, *which);
}

/* For `some` channels of one result: `p` is the first of its positions; those to the `right` of and
 * `below` it exist or not. In the functions that are called, the last three are constants. */
#define DEFINE(T, LOAD, STORE)                                                                     \
    INLINE void forward_channels_##T(const T *p, long row, int channels, T *out, uint8_t *chosen,  \
                                     int right, int below, int some) {                             \
        ints best = LOAD(p, some), which = {0};                                                    \
        if (right) take(&best, &which, LOAD(p + channels, some), 1);                               \
        if (below) take(&best, &which, LOAD(p + row, some), 2);                                    \
        if (right && below) take(&best, &which, LOAD(p + row + channels, some), 3);                \
        ints dead = (floats)best <= (floats){0};                                                   \
        bytes kept = __builtin_convertvector(choose(dead, (ints){0} + DEAD, which), bytes);        \
        STORE(out, ~dead & best, some);                                                            \
        memcpy(chosen, &kept, some);                                                               \
    }                                                                                              \
                                                                                                   \
    INLINE void backward_channels_##T(T *p, long row, int channels, const T *gradient,             \
                                      const uint8_t *chosen, int right, int below, int some) {     \
        bytes kept = {0};                                                                          \
        memcpy(&kept, chosen, some);                                                               \
        ints which = __builtin_convertvector(kept, ints), g = LOAD(gradient, some);                \
        g &= (floats)g != (floats){0}; /* torch adds it to 0, so that -0 becomes 0 */              \
        STORE(p, g & (which == 0), some);                                                          \
        if (right) STORE(p + channels, g & (which == 1), some);                                    \
        if (below) STORE(p + row, g & (which == 2), some);                                         \
        if (right && below) STORE(p + row + channels, g & (which == 3), some);                     \
    }                                                                                              \
                                                                                                   \
    void forward_##T(const T *pictures, long count, int rows, int columns, int channels, T *out,   \
                     uint8_t *chosen) {                                                            \
        ALL_PLACES(forward_channels_##T, T, pictures, out)                                         \
    }                                                                                              \
                                                                                                   \
    void backward_##T(T *pictures, long count, int rows, int columns, int channels,                \
                      const T *out, const uint8_t *chosen) {                                       \
        ALL_PLACES(backward_channels_##T, T, pictures, out)                                        \
    }

#define ALL_PLACES(CALL, T, pictures, out)                                                         \
    long row = (long)columns * channels;                                                           \
    for (long n = 0; n < count; n++, pictures += rows * row)                                       \
        for (int y = 0; y < rows; y += 2)                                                          \
            for (int x = 0; x < columns; x += 2, out += channels, chosen += channels) {            \
                int right = x + 1 < columns, below = y + 1 < rows;                                 \
                long first = y * row + (long)x * channels;                                         \
                if (right && below) ALL_CHANNELS(CALL, pictures + first, out, 1, 1)                \
                else if (right) ALL_CHANNELS(CALL, pictures + first, out, 1, 0)                    \
                else if (below) ALL_CHANNELS(CALL, pictures + first, out, 0, 1)                    \
                else ALL_CHANNELS(CALL, pictures + first, out, 0, 0)                               \
            }

#define ALL_CHANNELS(CALL, p, out, right, below)                                                   \
    {                                                                                              \
        int c = 0;                                                                                 \
        for (; c + LANES <= channels; c += LANES)                                                  \
            CALL((p) + c, row, channels, (out) + c, chosen + c, right, below, LANES);              \
        for (; c + 8 <= channels; c += 8)                                                          \
            CALL((p) + c, row, channels, (out) + c, chosen + c, right, below, 8);                  \
        for (; c < channels; c++)                                                                  \
            CALL((p) + c, row, channels, (out) + c, chosen + c, right, below, 1);                  \
    }

DEFINE(float, load_float, store_float)
DEFINE(bfloat, load_bfloat, store_bfloat)
