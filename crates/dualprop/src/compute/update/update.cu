// The updates of parameters, as in mod.rs beside it. What changes from step to step is read from a table, by a number that is kept on
// the device, so that a recorded step can be launched again and again.

// The constants of one step, each rounded to REAL by the host.
typedef struct {
    real learning_rate;
    real momentum;
    real weight_decay;
    real keep1;
    real take1;
    real keep2;
    real take2;
    real correct1;
    real correct2;
    real epsilon;
} Step;

typedef struct {
    size n;
    const Step *steps;
    const size *step; // which of them
    const real *gradient;
    real *w;
    real *first;          // momentum, or first moment
    real *second;         // second moment; none with SGD
    state *narrow;        // w as products read it, where they read another type; none where they read w
    unsigned int *broken; // becomes 1 where a gradient is not finite
} Update;

typedef struct {
    size n;
    const state *narrow;
    real *wide;
} Widen;

// The same numbers in the type of gradients
KERNEL(widen, Widen) {
    for EACH(i, p.n) {
        p.wide[i] = get(p.narrow, i);
    }
}

DEVICE void note_broken(unsigned int *broken, real g) {
    if (!is_finite(g)) {
        *broken = 1; // whoever writes it, writes the same
    }
}

DEVICE void keep(const Update *p, size i, real w) {
    p->w[i] = w;
    if (p->narrow) {
        put(p->narrow, i, w);
    }
}

// m = (g + lambda w) + mu m, w -= eta m
KERNEL(sgd, Update) {
    const Step s = p.steps[*p.step];
    for EACH(i, p.n) {
        real g = p.gradient[i], w = p.w[i];
        note_broken(p.broken, g);
        real m = or_zero((g + s.weight_decay * w) + s.momentum * p.first[i]);
        p.first[i] = m;
        keep(&p, i, w - s.learning_rate * m);
    }
}

// Adam with bias correction, and AdamW
KERNEL(adam, Update) {
    const Step s = p.steps[*p.step];
    for EACH(i, p.n) {
        real g = p.gradient[i], w = p.w[i];
        note_broken(p.broken, g);
        real m = or_zero(s.keep1 * p.first[i] + s.take1 * g);
        real v = or_zero(s.keep2 * p.second[i] + s.take2 * (g * g));
        p.first[i] = m;
        p.second[i] = v;
        keep(&p, i, w - s.learning_rate * ((s.correct1 * m) / (root(s.correct2 * v) + s.epsilon) + s.weight_decay * w));
    }
}
