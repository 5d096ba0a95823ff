package measure

import (
	"math"
	"math/bits"
)

// Buckets of numbers: the exponent of a float64 and the upper six bits of its mantissa, so that 64 of the same width are
// between a power of two and the next. The middle of a bucket is at most 1/128 = 0.78 % away from each number in it. They
// never depend on what else is counted.
//
// They are numbered in the order of the numbers: negative ones mirrored, the zero, positive ones. What is nearer to 0 than
// 2^-30 (9.3e-10) counts as 0, and what is 2^63 (9.2e18) or further away is in the outermost bucket.
const (
	bucketBits    = 6
	leastExponent = -30
	mostExponent  = 62
	magnitudes    = (mostExponent - leastExponent + 1) << bucketBits
	zeroBucket    = magnitudes
	buckets       = 2*magnitudes + 1
)

// bucketOf is the bucket of a canonical number. It takes an integer's own bits, not those of the float nearest to it.
func bucketOf(kind Kind, b uint64) int {
	if kind == Int {
		if b == 0 {
			return zeroBucket
		}
		n, negative := b, int64(b) < 0
		if negative {
			n = -n
		}
		size := bits.Len64(n)
		return mirrored((size-1-leastExponent)<<bucketBits|int(n<<(65-size)>>(64-bucketBits)), negative)
	}
	const mantissa, bias = 52, 1023
	i := int(b<<1>>(1+mantissa-bucketBits)) - (bias+leastExponent)<<bucketBits
	if i < 0 {
		return zeroBucket
	}
	return mirrored(i, b>>63 != 0)
}

func mirrored(magnitude int, negative bool) int {
	magnitude = min(magnitude, magnitudes-1)
	if negative {
		return zeroBucket - 1 - magnitude
	}
	return zeroBucket + 1 + magnitude
}

// takenApart is the exponent of a bucket and its number in the octave.
func takenApart(bucket int) (exponent, within int, negative bool) {
	magnitude := bucket - zeroBucket - 1
	if magnitude < 0 {
		magnitude, negative = zeroBucket-1-bucket, true
	}
	return magnitude>>bucketBits + leastExponent, magnitude & (1<<bucketBits - 1), negative
}

// hasWhole tells whether there is a whole number in a bucket.
func hasWhole(bucket int) bool {
	if bucket == zeroBucket {
		return true
	}
	exponent, within, _ := takenApart(bucket)
	return exponent >= bucketBits || exponent >= 0 && within&(1<<(bucketBits-exponent)-1) == 0
}

// middle is the number that stands for those in a bucket: the middle, and among whole numbers the whole one there, so that
// up to 127 they are exact.
func middle(bucket int, whole bool) (Kind, uint64) {
	if bucket == zeroBucket {
		return Int, 0
	}
	exponent, within, negative := takenApart(bucket)
	if !whole {
		f := math.Ldexp(float64(2*(1<<bucketBits+within)+1), exponent-bucketBits-1)
		if negative {
			f = -f
		}
		return canonical(Float, math.Float64bits(f))
	}
	n := int64(1<<bucketBits + within)
	if shift := exponent - bucketBits; shift < 0 {
		n >>= -shift
	} else {
		n = n<<shift + (1<<shift-1)/2
	}
	if negative {
		n = -n
	}
	return Int, uint64(n)
}
