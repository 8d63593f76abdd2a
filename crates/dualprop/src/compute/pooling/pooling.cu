// Max pooling of 2 x 2 windows and its way back, as in mod.rs beside it.

typedef struct {
    size samples;
    size height; // of the image before the pool
    size width;
    size channels;
    const real *bias; // added to the image first; none where it is part of it
    state *kept;      // where the image with its biases is kept; none where nobody else looks at it
    const state *input;
    state *output;
    unsigned char *routing;
} Pool;

// The place of number i after the pool: its sample, its row, its column and its channel, and from them the first pixel of its window.
DEVICE size window(size i, size height, size width, size channels) {
    size channel = i % channels, pixel = i / channels;
    size column = pixel % (width / 2), row = pixel / (width / 2);
    size sample = row / (height / 2);
    return ((sample * height + 2 * (row % (height / 2))) * width + 2 * column) * channels + channel;
}

// How far pixel 0 to 3 of a window is from the first.
DEVICE size offset(int place, size width, size channels) { return (place / 2 * width + place % 2) * channels; }

// output = the largest number of each window, routing = its place, the first of equal ones. A number that is none wins, and stays.
KERNEL(pool, Pool) {
    for EACH(i, p.samples * (p.height / 2) * (p.width / 2) * p.channels) {
        size first = window(i, p.height, p.width, p.channels);
        real bias = p.bias ? p.bias[i % p.channels] : 0, largest = 0;
        int winner = 0;
        for (int place = 0; place < 4; place++) {
            size from = first + offset(place, p.width, p.channels);
            real x = get(p.input, from);
            if (p.bias) {
                x += bias;
            }
            if (p.kept) {
                put(p.kept, from, x);
            }
            if (place == 0 || x > largest || (is_nan(x) && !is_nan(largest))) {
                largest = x;
                winner = place;
            }
        }
        put(p.output, i, largest);
        p.routing[i] = (unsigned char)winner;
    }
}

typedef struct {
    size samples;
    size height;
    size width;
    size channels;
    const state *input;
    const unsigned char *routing;
    state *output;
} Routed;

// output = the number of input at the place of each window's winner
KERNEL(routed_pool, Routed) {
    for EACH(i, p.samples * (p.height / 2) * (p.width / 2) * p.channels) {
        size first = window(i, p.height, p.width, p.channels);
        put(p.output, i, get(p.input, first + offset(p.routing[i] & 3, p.width, p.channels)));
    }
}

// output = each number of input at the place of its window's winner, zero elsewhere. An odd last row or column is in no window, and
// is zeroed by whoever launches this.
KERNEL(unpool, Routed) {
    for EACH(i, p.samples * (p.height / 2) * (p.width / 2) * p.channels) {
        size first = window(i, p.height, p.width, p.channels);
        for (int place = 0; place < 4; place++) {
            put(p.output, first + offset(place, p.width, p.channels), p.routing[i] == place ? get(p.input, i) : 0);
        }
    }
}
