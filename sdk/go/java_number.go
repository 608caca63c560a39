package bulkhead

import (
	"bytes"
	"math"
	"strconv"
)

// Numbers as Java prints them: `1.0`, `1.0E10`, `1.0E-5`, `NaN`, `Infinity`.

func javaDouble(value float64) string {
	switch {
	case math.IsNaN(value):
		return "NaN"
	case math.IsInf(value, 1):
		return "Infinity"
	case math.IsInf(value, -1):
		return "-Infinity"
	}
	return string(appendJavaDouble(nil, value, 64))
}

// appendJavaDouble writes a finite number; bits 32 gives the shortest digits that read back to the
// same float32.
func appendJavaDouble(into []byte, value float64, bits int) []byte {
	size := math.Abs(value)
	if size == 0 || (size >= 1e-3 && size < 1e7) {
		start := len(into)
		into = strconv.AppendFloat(into, value, 'f', -1, bits)
		if bytes.IndexByte(into[start:], '.') < 0 {
			into = append(into, '.', '0')
		}
		return into
	}
	// Java writes two digits at least, and of these the nearest: 4.9E-324 where one, 5, would do.
	var room [32]byte
	digits := strconv.AppendFloat(room[:0], value, 'e', 1, bits)
	if back, err := strconv.ParseFloat(string(digits), bits); err != nil || back != value {
		digits = strconv.AppendFloat(room[:0], value, 'e', -1, bits)
	}
	mantissa, exponent, _ := bytes.Cut(digits, []byte{'e'})
	into = append(into, mantissa...)
	if bytes.IndexByte(mantissa, '.') < 0 {
		into = append(into, '.', '0')
	}
	into = append(into, 'E')
	power, _ := strconv.Atoi(string(exponent))
	return strconv.AppendInt(into, int64(power), 10)
}
