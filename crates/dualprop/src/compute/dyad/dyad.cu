// The dyad update, as in mod.rs beside it, and what else is done number by number with the messages of a layer.

typedef struct {
    size n;           // numbers in all
    size channels;    // numbers that share the biases, one after the other
    const real *bias; // added to a first; none where it is part of a
    state *a;
    state *mean;
    int activation;
} Activate;

// mean = f(a)
KERNEL(activate, Activate) {
    for EACH(i, p.n) {
        real a = get(p.a, i);
        if (p.bias) {
            a += p.bias[i % p.channels];
            put(p.a, i, a);
        }
        put(p.mean, i, value(p.activation, a));
    }
}

typedef struct {
    size n;
    size neurons;        // numbers of a sample
    const state *a;
    const state *fb;
    state *mean;         // read as well where damped
    state *difference;   // read as well where damped
    const real *damping; // L of the proximal term; none where the rule is not damped
    const real *each;    // alpha, 1 - alpha, w+ and w- of every neuron, one array after the other; none where they are uniform
    real alpha;
    real one_minus_alpha;
    real w_plus;
    real w_minus;
    int activation;
    int limit; // whether it is the limit of small feedback
} Dyad;

// (mean, difference) of each dyad
KERNEL(dyad, Dyad) {
    for EACH(i, p.n) {
        real a = get(p.a, i), fb = get(p.fb, i);
        if (p.limit) {
            put(p.mean, i, value(p.activation, a));
            put(p.difference, i, or_zero((p.w_plus + p.w_minus) * (derivative(p.activation, a) * fb)));
            continue;
        }
        real alpha = p.alpha, one_minus_alpha = p.one_minus_alpha, w_plus = p.w_plus, w_minus = p.w_minus;
        if (p.each) {
            const real *each = p.each + i % p.neurons;
            alpha = each[0];
            one_minus_alpha = each[p.neurons];
            w_plus = each[2 * p.neurons];
            w_minus = each[3 * p.neurons];
        }
        real b = a, h_plus = w_plus * fb, h_minus = -(w_minus * fb);
        if (p.damping) {
            real damping = *p.damping, scale = 1 / (1 + damping), difference = get(p.difference, i);
            b = scale * (a + damping * get(p.mean, i));
            h_plus = scale * (damping * (one_minus_alpha * difference) + w_plus * fb);
            h_minus = -(scale * (damping * (alpha * difference) + w_minus * fb));
        }
        real f = value(p.activation, b);
        real u_plus = increment(p.activation, b, f, h_plus);
        real u_minus = increment(p.activation, b, f, h_minus);
        put(p.mean, i, f + (alpha * u_plus + one_minus_alpha * u_minus));
        put(p.difference, i, or_zero(u_plus - u_minus));
    }
}

typedef struct {
    size n;
    const state *mean;
    const state *difference;
    state *plus;
    real weight; // 1 - alpha
} Plus;

// s+ = mean + (1 - alpha) difference
KERNEL(plus, Plus) {
    for EACH(i, p.n) {
        put(p.plus, i, get(p.mean, i) + p.weight * get(p.difference, i));
    }
}

typedef struct {
    real *at;
    real value;
} Constant;

// one number = value
KERNEL(constant, Constant) {
    for EACH(i, 1) {
        p.at[i] = p.value;
    }
}
