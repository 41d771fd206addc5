/* A stack of layers "3 x 3 convolution with padding 1, 2 x 2 max pooling (ceil mode) or none, ReLU",
 * forward and backward, in float32 on one thread. Only the last layer may be without pooling.
 *
 * LANES pictures are computed together, each in its own lane of every vector: a weight is broadcast
 * to all lanes, so that any number of channels fills the vectors, and a picture's result depends on
 * nothing but the picture. A block of pictures has its activations as [channel][row][column][lane],
 * with a border of zeros around each channel. Convolution, pooling and ReLU are one pass over 2 x 2
 * positions; of the positions only the largest is stored, and which one it was.
 *
 * Every sum is taken in a fixed order: the same numbers give the same bits.
 */

#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
#define LANES 16
#define OUTPUTS 4 /* channels whose 2 x 2 sums are in registers together: 16 of 32 registers */
#define PAIRS 2   /* output channels whose 9 weight gradients are in registers together */
#elif defined(__AVX__)
#define LANES 8
#define OUTPUTS 2
#define PAIRS 1
#else
#define LANES 4
#define OUTPUTS 2
#define PAIRS 1
#endif

#define TAPS 9
#define DEAD 4     /* of the four positions none: ReLU is 0 there */
#define MOST 16    /* layers */
#define TOGETHER 64 /* positions whose products are summed in registers, before they are added to the rest */

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int ivec __attribute__((vector_size(4 * LANES)));
typedef unsigned uvec __attribute__((vector_size(4 * LANES)));
typedef unsigned char bvec __attribute__((vector_size(LANES)));
typedef unsigned short bfloat; /* the upper half of a float */

#define INLINE static inline __attribute__((always_inline))

/* One layer, of input channels x rows x columns; `half_*` are rows and columns in pairs, rounded up. */
typedef struct {
    int inputs, outputs, rows, columns, pooled, channels_last;
    int half_rows, half_columns;
    long width, plane;           /* vectors of a row and of a channel, with the border */
    int out_rows, out_columns;
    const float *weight, *bias;
    float *weight_gradient, *bias_gradient;
    vec *input;                  /* where this layer's input is in the block */
    unsigned char *chosen;       /* which of the four positions, of a pooled layer */
} layer;

INLINE vec choose(ivec mask, vec yes, vec no) {
    return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}

/* The numbers of a stack: layers, pictures' channels, rows, columns; for each layer its outputs,
 * whether it is pooled, and whether its weights and their gradients are channels last. */
static int read_layers(const int *numbers, layer *layers) {
    int count = numbers[0], inputs = numbers[1], rows = numbers[2], columns = numbers[3];
    for (int k = 0; k < count; k++) {
        layer *l = layers + k;
        memset(l, 0, sizeof *l);
        l->inputs = inputs, l->rows = rows, l->columns = columns;
        l->outputs = numbers[4 + 3 * k], l->pooled = numbers[5 + 3 * k];
        l->channels_last = numbers[6 + 3 * k];
        l->half_rows = (rows + 1) / 2, l->half_columns = (columns + 1) / 2;
        l->width = 2 * l->half_columns + 2;
        l->plane = l->width * (2 * l->half_rows + 2);
        l->out_rows = l->pooled ? l->half_rows : rows;
        l->out_columns = l->pooled ? l->half_columns : columns;
        inputs = l->outputs, rows = l->out_rows, columns = l->out_columns;
    }
    return count;
}

/* Let the layers' buffers be at `block`, the last layer's output among them; their size in bytes. */
static long place(layer *layers, int count, char *block, vec **last) {
    long size = 0;
    for (int k = 0; k < count; k++) {
        layers[k].input = (vec *)(block + size);
        size += layers[k].inputs * layers[k].plane * (long)sizeof(vec);
    }
    const layer *end = layers + count - 1;
    *last = (vec *)(block + size);
    size += (long)end->outputs * end->out_rows * end->out_columns * (long)sizeof(vec);
    for (layer *l = layers; l <= end; l++) {
        l->chosen = (unsigned char *)block + size;
        if (l->pooled) size += (long)l->outputs * l->out_rows * l->out_columns * LANES;
    }
    return (size + (long)sizeof(vec) - 1) / (long)sizeof(vec) * (long)sizeof(vec);
}

/* Bytes of the activations of `pictures` pictures. */
long stored_bytes(const int *numbers, long pictures) {
    layer layers[MOST];
    vec *last;
    char base[1];
    int count = read_layers(numbers, layers);
    return (pictures + LANES - 1) / LANES * place(layers, count, base, &last);
}

INLINE long weight_at(const layer *l, int output, int input, int tap) {
    return l->channels_last ? ((long)output * TAPS + tap) * l->inputs + input
                            : ((long)output * l->inputs + input) * TAPS + tap;
}

/* The weights as `convolve` reads them: blocks of at most OUTPUTS outputs, [block][input][tap][output
 * in the block]. `turned` exchanges inputs with outputs, and turns the taps by 180 degrees. */
static void pack(const float *weight, const layer *l, int turned, float *packed) {
    int outputs = turned ? l->inputs : l->outputs, inputs = turned ? l->outputs : l->inputs;
    for (int first = 0; first < outputs; first += OUTPUTS) {
        int end = first + OUTPUTS < outputs ? first + OUTPUTS : outputs;
        for (int i = 0; i < inputs; i++)
            for (int t = 0; t < TAPS; t++)
                for (int o = first; o < end; o++)
                    *packed++ = turned ? weight[weight_at(l, i, o, TAPS - 1 - t)]
                                       : weight[weight_at(l, o, i, t)];
    }
}

/* Add the products at 2 x 2 positions, of `count` outputs, to sums[position][output]. */
INLINE void convolve(const vec *restrict x, long width, long plane, int inputs,
                     const float *restrict weight, const int count, vec sums[4][OUTPUTS]) {
    for (int i = 0; i < inputs; i++, x += plane)
#pragma GCC unroll 3
        for (int ky = 0; ky < 3; ky++)
#pragma GCC unroll 3
            for (int kx = 0; kx < 3; kx++, weight += count) {
                const vec *p = x + ky * width + kx;
                vec a = p[0], b = p[1], c = p[width], d = p[width + 1];
#pragma GCC unroll 4
                for (int o = 0; o < count; o++) {
                    float w = weight[o];
                    sums[0][o] += a * w, sums[1][o] += b * w;
                    sums[2][o] += c * w, sums[3][o] += d * w;
                }
            }
}

INLINE void forward_outputs(const layer *l, int y, int x, int first, const int count,
                            const float *weight, vec *out, long out_width, long out_plane) {
    vec sums[4][OUTPUTS];
#pragma GCC unroll 4
    for (int o = 0; o < count; o++)
        sums[0][o] = sums[1][o] = sums[2][o] = sums[3][o] = (vec){0} + l->bias[first + o];
    convolve(l->input + 2 * y * l->width + 2 * x, l->width, l->plane, l->inputs, weight, count,
             sums);
    int right = 2 * x + 1 < l->columns, below = 2 * y + 1 < l->rows;
#pragma GCC unroll 4
    for (int o = 0; o < count; o++) {
        vec a = sums[0][o];
        vec zero = {0};
        if (!l->pooled) {
            vec *to = out + (first + o) * out_plane + 2 * y * out_width + 2 * x;
            to[0] = choose(a <= zero, zero, a);
            if (right) to[1] = choose(sums[1][o] <= zero, zero, sums[1][o]);
            if (below) to[out_width] = choose(sums[2][o] <= zero, zero, sums[2][o]);
            if (right && below) to[out_width + 1] = choose(sums[3][o] <= zero, zero, sums[3][o]);
            continue;
        }
        ivec which = {0};
#define TAKE(k)                                                                                    \
    {                                                                                              \
        vec other = sums[k][o];                                                                    \
        ivec larger = (other > a) | (other != other); /* NaN propagates, as in torch */            \
        a = choose(larger, other, a);                                                              \
        which = (larger & k) | (~larger & which);                                                  \
    }
        if (right) TAKE(1)
        if (below) TAKE(2)
        if (right && below) TAKE(3)
        ivec dead = a <= zero;
        which = (dead & DEAD) | (~dead & which);
        out[(first + o) * out_plane + y * out_width + x] = choose(dead, zero, a);
        *(bvec *)(l->chosen +
                  (((long)(first + o) * l->out_rows + y) * l->out_columns + x) * LANES) =
            __builtin_convertvector(which, bvec);
    }
}

#define IN_BLOCKS(total, call)                                                                     \
    for (int first = 0; first < (total); first += OUTPUTS) {                                       \
        int left = (total) - first;                                                                \
        if (left >= OUTPUTS) { call(OUTPUTS) }                                                     \
        else if (OUTPUTS > 3 && left == 3) { call(3) }                                             \
        else if (OUTPUTS > 2 && left == 2) { call(2) }                                             \
        else { call(1) }                                                                           \
    }

static void forward_layer(const layer *l, const float *packed, vec *out, long out_width,
                          long out_plane) {
    for (int y = 0; y < l->half_rows; y++)
        for (int x = 0; x < l->half_columns; x++) {
#define CALL(n)                                                                                    \
    forward_outputs(l, y, x, first, n, packed + (long)first * l->inputs * TAPS, out, out_width,    \
                    out_plane);
            IN_BLOCKS(l->outputs, CALL)
#undef CALL
        }
}

/* Write zeros around the rows x columns of each channel. */
static void clear_border(vec *to, const layer *l) {
    long height = l->plane / l->width;
    for (int c = 0; c < l->inputs; c++, to += l->plane) {
        memset(to, 0, l->width * sizeof(vec));
        for (int y = 1; y <= l->rows; y++) {
            to[y * l->width] = (vec){0};
            for (long x = l->columns + 1; x < l->width; x++) to[y * l->width + x] = (vec){0};
        }
        memset(to + (l->rows + 1) * l->width, 0, (height - l->rows - 1) * l->width * sizeof(vec));
    }
}

/* Pictures [picture][channel][row][column] to a block, and back; lanes without a picture are 0. */
static void enter(const float *pictures, int count, const layer *l) {
    long size = (long)l->rows * l->columns, all = size * l->inputs;
    for (int c = 0; c < l->inputs; c++)
        for (int y = 0; y < l->rows; y++) {
            const float *from = pictures + c * size + (long)y * l->columns;
            float *to = (float *)(l->input + c * l->plane + (y + 1) * l->width + 1);
            if (count == LANES)
                for (int x = 0; x < l->columns; x++)
                    for (int n = 0; n < LANES; n++) to[x * LANES + n] = from[n * all + x];
            else
                for (int x = 0; x < l->columns; x++)
                    for (int n = 0; n < LANES; n++)
                        to[x * LANES + n] = n < count ? from[n * all + x] : 0.0f;
        }
}

static void leave(const vec *block, long size, int count, float *pictures) {
    const float *from = (const float *)block;
    for (int n = 0; n < count; n++)
        for (long k = 0; k < size; k++) pictures[n * size + k] = from[k * LANES + n];
}

/* The same as bfloat16 [picture][row][column][channel], rounded to the nearest, ties to even; and
 * back, where lanes without a picture are 0. A tile of some positions and channels at a time. */
#define TILE 8
#define SOME 32
#define IN_TILES                                                                                   \
    for (long k = 0; k < positions; k += TILE)                                                     \
        for (int c = 0; c < channels; c += SOME)

typedef struct {
    bfloat of[LANES][TILE][SOME];
} tile;

static void leave_rounded(const vec *block, int channels, long positions, int count, bfloat *out) {
    tile tile;
    IN_TILES {
        int wide = channels - c < SOME ? channels - c : SOME;
        int high = positions - k < TILE ? positions - k : TILE;
        for (int i = 0; i < wide; i++)
            for (int j = 0; j < high; j++) {
                vec v = block[(c + i) * positions + k + j];
                uvec bits = (uvec)v, nan = (uvec)(v != v);
                bits = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
                bits = (nan & 0x7fc0) | (~nan & bits);
                unsigned each[LANES];
                memcpy(each, &bits, sizeof each);
                for (int n = 0; n < LANES; n++) tile.of[n][j][i] = (bfloat)each[n];
            }
        for (int n = 0; n < count; n++)
            for (int j = 0; j < high; j++)
                memcpy(out + (n * positions + k + j) * channels + c, tile.of[n][j],
                       wide * sizeof(bfloat));
    }
}

static void enter_rounded(const bfloat *from, int channels, long positions, int count, vec *block) {
    tile tile;
    memset(&tile, 0, sizeof tile);
    IN_TILES {
        int wide = channels - c < SOME ? channels - c : SOME;
        int high = positions - k < TILE ? positions - k : TILE;
        for (int n = 0; n < count; n++)
            for (int j = 0; j < high; j++)
                memcpy(tile.of[n][j], from + (n * positions + k + j) * channels + c,
                       wide * sizeof(bfloat));
        for (int i = 0; i < wide; i++)
            for (int j = 0; j < high; j++) {
                unsigned each[LANES];
                for (int n = 0; n < LANES; n++) each[n] = (unsigned)tile.of[n][j][i] << 16;
                memcpy(block + (c + i) * positions + k + j, each, sizeof each);
            }
    }
}

/* Gradients of a block's results as they are stored: float32 [picture][channel][row][column], or
 * bfloat16 [picture][row][column][channel]. Lanes without a picture are 0. */
static void enter_gradients(const void *stored, int rounded, int channels, long positions,
                            int count, vec *block) {
    float *to = (float *)block;
    long size = channels * positions;
    if (!rounded) {
        const float *from = stored;
        for (long k = 0; k < size; k++)
            for (int n = 0; n < LANES; n++) to[k * LANES + n] = n < count ? from[n * size + k] : 0.0f;
        return;
    }
    enter_rounded(stored, channels, positions, count, block);
}

static long weights_of(const layer *layers, int count) {
    long sum = 0;
    for (int k = 0; k < count; k++) sum += (long)layers[k].inputs * layers[k].outputs * TAPS;
    return sum;
}

/* The outputs of the last layer, float32 [picture][channel][row][column], or `rounded` to bfloat16
 * [picture][row][column][channel]. `stored` is for the backward pass; NULL: there will be none.
 * Returns 0, or 1 without memory. */
int forward(const int *numbers, long pictures, const float *input, const float *const *weights,
            int rounded, void *out, char *stored) {
    layer layers[MOST];
    int count = read_layers(numbers, layers);
    vec *last;
    long bytes = stored_bytes(numbers, LANES);
    float *packed = malloc(weights_of(layers, count) * sizeof(float));
    char *own = stored ? NULL : aligned_alloc(sizeof(vec), bytes);
    if (!packed || !(stored || own)) {
        free(packed), free(own);
        return 1;
    }
    float *next = packed;
    for (int k = 0; k < count; k++) {
        layers[k].bias = weights[2 * k + 1];
        pack(weights[2 * k], layers + k, 0, next);
        next += (long)layers[k].inputs * layers[k].outputs * TAPS;
    }
    const layer *end = layers + count - 1;
    long size = (long)end->outputs * end->out_rows * end->out_columns;
    long picture = (long)layers->inputs * layers->rows * layers->columns;
    for (long n = 0; n < pictures; n += LANES) {
        int some = pictures - n < LANES ? pictures - n : LANES;
        if (stored || n == 0) {
            place(layers, count, stored ? stored + n / LANES * bytes : own, &last);
            for (int k = 0; k < count; k++) clear_border(layers[k].input, layers + k);
        }
        enter(input + n * picture, some, layers);
        next = packed;
        for (int k = 0; k < count; k++) {
            const layer *l = layers + k;
            if (l == end) forward_layer(l, next, last, l->out_columns, (long)l->out_rows * l->out_columns);
            else forward_layer(l, next, l[1].input + l[1].width + 1, l[1].width, l[1].plane);
            next += (long)l->inputs * l->outputs * TAPS;
        }
        if (rounded)
            leave_rounded(last, end->outputs, size / end->outputs, some, (bfloat *)out + n * size);
        else leave(last, size, some, (float *)out + n * size);
    }
    free(packed), free(own);
    return 0;
}

/* For the rows first..last-1 of the layer's input, counted in pairs: the gradient before pooling and
 * ReLU, to[output][row][column] with a border of zeros, from that of the layer's output; its sum over
 * positions is added to `bias`. `plane` is the distance of outputs in `to`. */
static void spread(const layer *l, int first, int last, const vec *gradient, const vec *output,
                   vec *to, long plane, vec *bias) {
    vec zero = {0};
    for (int o = 0; o < l->outputs; o++, to += plane) {
        vec sum = zero;
        for (long x = 0; x < l->width; x++) to[x] = to[(2 * (last - first) + 1) * l->width + x] = zero;
        for (int y = first; y < last; y++) {
            vec *p = to + (2 * (y - first) + 1) * l->width, *q = p + l->width;
            p[0] = q[0] = p[l->width - 1] = q[l->width - 1] = zero;
            p++, q++;
            if (l->pooled) {
                long at = ((long)o * l->out_rows + y) * l->out_columns;
                for (int x = 0; x < l->out_columns; x++, at++) {
                    ivec g = (ivec)gradient[at];
                    ivec which = __builtin_convertvector(*(bvec *)(l->chosen + at * LANES), ivec);
                    p[2 * x] = (vec)(g & (which == 0)), p[2 * x + 1] = (vec)(g & (which == 1));
                    q[2 * x] = (vec)(g & (which == 2)), q[2 * x + 1] = (vec)(g & (which == 3));
                    sum += (vec)(g & (which != DEAD));
                }
                continue;
            }
            for (int side = 0; side < 2; side++) {
                int row = 2 * y + side;
                long at = ((long)o * l->rows + row) * l->columns;
                for (int x = 0; x < 2 * l->half_columns; x++) {
                    vec g = zero;
                    if (row < l->rows && x < l->columns)
                        g = choose(output[at + x] <= zero, zero, gradient[at + x]);
                    (side ? q : p)[x] = g;
                    sum += g;
                }
            }
        }
        bias[o] += sum;
    }
}

INLINE void weight_products(const layer *l, int rows, const vec *restrict x,
                            const vec *restrict gradient, long plane, const int count,
                            vec *restrict to) {
    vec sums[PAIRS][TAPS];
    for (int o = 0; o < count; o++)
        for (int t = 0; t < TAPS; t++) sums[o][t] = (vec){0};
    for (int y = 0; y < rows; y++)
        for (int column = 0; column < l->columns; column++) {
            const vec *p = x + y * l->width + column, *g = gradient + y * l->width + column;
#pragma GCC unroll 3
            for (int ky = 0; ky < 3; ky++)
#pragma GCC unroll 3
                for (int kx = 0; kx < 3; kx++) {
                    vec v = p[ky * l->width + kx];
#pragma GCC unroll 3
                    for (int o = 0; o < count; o++) sums[o][3 * ky + kx] += v * g[o * plane];
                }
        }
    for (int o = 0; o < count; o++)
        for (int t = 0; t < TAPS; t++) to[o * l->inputs * TAPS + t] += sums[o][t];
}

/* Add the part of these pairs of rows to the gradient of the weights, to[output][input][tap]. */
static void weight_gradient(const layer *l, int first, int last, const vec *gradient, long plane,
                            vec *to) {
    int rows = 2 * last < l->rows ? 2 * (last - first) : l->rows - 2 * first;
    const vec *input = l->input + 2 * first * l->width;
    gradient += l->width + 1;
    for (int o = 0; o < l->outputs;) {
        int some = l->outputs - o < PAIRS ? 1 : PAIRS;
        for (int i = 0; i < l->inputs; i++) {
            vec *sums = to + ((long)o * l->inputs + i) * TAPS;
            if (some == PAIRS)
                weight_products(l, rows, input + i * l->plane, gradient, plane, PAIRS, sums);
            else weight_products(l, rows, input + i * l->plane, gradient, plane, 1, sums);
        }
        gradient += some * plane, o += some;
    }
}

/* All that a layer's backward pass gives but the gradient of its input, for which `wide` is left
 * whole if it is asked for. */
static void backward_layer(const layer *l, const vec *gradient, const vec *output, int whole,
                           vec *wide, vec *weights, vec *bias) {
    int pairs = TOGETHER / 2 / l->columns > 1 ? TOGETHER / 2 / l->columns : 1;
    if (pairs > l->half_rows) pairs = l->half_rows; /* `wide` has room for no more */
    long plane = whole ? l->plane : l->width * (2 * pairs + 2);
    if (whole) spread(l, 0, l->half_rows, gradient, output, wide, plane, bias);
    for (int y = 0; y < l->half_rows; y += pairs) {
        int end = y + pairs < l->half_rows ? y + pairs : l->half_rows;
        if (!whole) spread(l, y, end, gradient, output, wide, plane, bias);
        weight_gradient(l, y, end, whole ? wide + 2 * y * l->width : wide, plane, weights);
    }
}

INLINE void input_outputs(const layer *l, int y, int x, int first, const int count,
                          const float *turned, const vec *gradient, vec *to) {
    vec sums[4][OUTPUTS];
#pragma GCC unroll 4
    for (int o = 0; o < count; o++) sums[0][o] = sums[1][o] = sums[2][o] = sums[3][o] = (vec){0};
    convolve(gradient + 2 * y * l->width + 2 * x, l->width, l->plane, l->outputs, turned, count,
             sums);
    int right = 2 * x + 1 < l->columns, below = 2 * y + 1 < l->rows;
#pragma GCC unroll 4
    for (int o = 0; o < count; o++) {
        vec *p = to + ((long)(first + o) * l->rows + 2 * y) * l->columns + 2 * x;
        p[0] = sums[0][o];
        if (right) p[1] = sums[1][o];
        if (below) p[l->columns] = sums[2][o];
        if (right && below) p[l->columns + 1] = sums[3][o];
    }
}

/* The gradient of the layer's input, [input][row][column]. */
static void input_gradient(const layer *l, const float *turned, const vec *gradient, vec *to) {
    for (int y = 0; y < l->half_rows; y++)
        for (int x = 0; x < l->half_columns; x++) {
#define CALL(n)                                                                                    \
    input_outputs(l, y, x, first, n, turned + (long)first * l->outputs * TAPS, gradient, to);
            IN_BLOCKS(l->inputs, CALL)
#undef CALL
        }
}

typedef float four __attribute__((vector_size(16)));

static float sum_of_lanes(const vec *v) {
    const four *part = (const four *)v;
    four sum = part[0];
    for (int k = 1; k < LANES / 4; k++) sum += part[k];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Gradients of all weights and biases, and of the pictures unless `input_gradients` is NULL, from
 * that of the outputs, stored like these. Returns 0, or 1 without memory. */
int backward(const int *numbers, long pictures, int rounded, const void *output_gradients,
             const float *const *weights, float *const *gradients, float *input_gradients,
             char *stored) {
    layer layers[MOST];
    int count = read_layers(numbers, layers);
    long bytes = stored_bytes(numbers, LANES), all = weights_of(layers, count);
    long outputs = 0, spread_size = 0, flat = 0;
    for (int k = 0; k < count; k++) {
        const layer *l = layers + k;
        long in = (long)l->inputs * l->rows * l->columns;
        long out = (long)l->outputs * l->out_rows * l->out_columns;
        if (l->outputs * l->plane > spread_size) spread_size = l->outputs * l->plane;
        if (out > flat) flat = out;
        if ((k || input_gradients) && in > flat) flat = in;
        outputs += l->outputs;
    }
    vec *work = aligned_alloc(sizeof(vec), (all + outputs + spread_size + flat) * sizeof(vec));
    float *turned = malloc(all * sizeof(float));
    if (!work || !turned) {
        free(work), free(turned);
        return 1;
    }
    vec *weight_sums = work, *bias_sums = work + all, *wide = bias_sums + outputs;
    vec *narrow = wide + spread_size;
    memset(work, 0, (all + outputs) * sizeof(vec));
    float *next = turned;
    for (int k = 0; k < count; k++) {
        pack(weights[2 * k], layers + k, 1, next);
        next += (long)layers[k].inputs * layers[k].outputs * TAPS;
    }
    const layer *end = layers + count - 1;
    long size = (long)end->outputs * end->out_rows * end->out_columns;
    long picture = (long)layers->inputs * layers->rows * layers->columns;
    for (long n = 0; n < pictures; n += LANES) {
        int some = pictures - n < LANES ? pictures - n : LANES;
        vec *last;
        place(layers, count, stored + n / LANES * bytes, &last);
        const char *from = (const char *)output_gradients + n * size * (rounded ? 2 : 4);
        enter_gradients(from, rounded, end->outputs, size / end->outputs, some, narrow);
        long weight = all, bias = outputs;
        for (int k = count - 1; k >= 0; k--) {
            const layer *l = layers + k;
            weight -= (long)l->inputs * l->outputs * TAPS, bias -= l->outputs;
            int whole = k || input_gradients;
            backward_layer(l, narrow, last, whole, wide, weight_sums + weight,
                           bias_sums + bias);
            if (whole) input_gradient(l, turned + weight, wide, narrow);
        }
        if (input_gradients) leave(narrow, picture, some, input_gradients + n * picture);
    }
    const vec *sums = weight_sums;
    for (int k = 0; k < count; k++) {
        const layer *l = layers + k;
        for (int o = 0; o < l->outputs; o++)
            for (int i = 0; i < l->inputs; i++)
                for (int t = 0; t < TAPS; t++)
                    gradients[2 * k][weight_at(l, o, i, t)] = sum_of_lanes(sums++);
    }
    for (int k = 0; k < count; k++)
        for (int o = 0; o < layers[k].outputs; o++)
            gradients[2 * k + 1][o] = sum_of_lanes(sums++);
    free(work), free(turned);
    return 0;
}
