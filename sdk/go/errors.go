package bulkhead

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

// Error says what the host shall do about a fault. Any other error of user code fails its task.
// Make one with Retriable, RateLimited, ConfigError, AuthError, DataError or Unsupported.
type Error struct {
	// Hint is one sentence for a person: what to do about it.
	Hint string
	// RetryAfter is the pause before the next attempt; 0 leaves it to the SDK.
	RetryAfter time.Duration

	err       error
	code      pb.FailureCode
	reaction  pb.FailureClass
	madeAt    string
	retriable bool
}

func (e *Error) Error() string { return e.err.Error() }

// Unwrap gives the error it was made of.
func (e *Error) Unwrap() error { return e.err }

// WithHint sets Hint.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// After sets RetryAfter.
func (e *Error) After(pause time.Duration) *Error {
	e.RetryAfter = pause
	return e
}

// Retriable says that the same thing may be tried again. From Read or Poll: it is begun again after a
// pause, and Offset then knows what was given before. From Put: the same records are put again.
func Retriable(err error) *Error {
	made := newError(err, pb.FailureCode_FAILURE_CODE_UNAVAILABLE, pb.FailureClass_FAILURE_CLASS_TRANSIENT)
	made.retriable = true
	return made
}

// RateLimited says that the external system asked for a slower pace: tried again, as Retriable is.
func RateLimited(err error) *Error {
	made := newError(err, pb.FailureCode_FAILURE_CODE_RATE_LIMITED, pb.FailureClass_FAILURE_CLASS_TRANSIENT)
	made.retriable = true
	return made
}

// ConfigError says that a person has to change the config.
func ConfigError(format string, args ...any) *Error {
	return newError(fmt.Errorf(format, args...), pb.FailureCode_FAILURE_CODE_INVALID_CONFIG,
		pb.FailureClass_FAILURE_CLASS_CONFIGURATION)
}

// AuthError says that the external system refused the credentials.
func AuthError(err error) *Error {
	return newError(err, pb.FailureCode_FAILURE_CODE_AUTH, pb.FailureClass_FAILURE_CLASS_FATAL)
}

// DataError says that a record's data cannot be used.
func DataError(format string, args ...any) *Error {
	return newError(fmt.Errorf(format, args...), pb.FailureCode_FAILURE_CODE_DATA,
		pb.FailureClass_FAILURE_CLASS_DATA)
}

// Unsupported says that a request is not served.
func Unsupported(format string, args ...any) *Error {
	return newError(fmt.Errorf(format, args...), pb.FailureCode_FAILURE_CODE_UNSUPPORTED,
		pb.FailureClass_FAILURE_CLASS_FATAL)
}

func newError(err error, code pb.FailureCode, reaction pb.FailureClass) *Error {
	if err == nil {
		err = errors.New("no error was given")
	}
	made := &Error{err: err, code: code, reaction: reaction}
	// The caller of Retriable and the others.
	if pc, file, line, ok := runtime.Caller(2); ok {
		made.madeAt = fmt.Sprintf("%s (%s:%d)", functionName(pc), file, line)
	}
	return made
}

func functionName(pc uintptr) string {
	if found := runtime.FuncForPC(pc); found != nil {
		return found.Name()
	}
	return "?"
}

// retriable gives the Error that asks for another attempt, if there is one in the chain.
func retriable(err error) (*Error, bool) {
	var said *Error
	if errors.As(err, &said) && said.retriable {
		return said, true
	}
	return nil, false
}

// RecordError is one bad record of a batch: its place in it, from 0, and what is wrong with it.
type RecordError struct {
	Index int
	Err   error
}

// RecordErrors is returned by Put: these records are bad, all others of the batch are stored. The
// connector's error policy decides whether they are skipped, written to a dead letter topic or fail
// the task.
type RecordErrors []RecordError

func (e RecordErrors) Error() string {
	if len(e) == 1 {
		return fmt.Sprintf("1 record could not be stored: %v", e[0].Err)
	}
	return fmt.Sprintf("%d records could not be stored", len(e))
}

// Unwrap gives the faults.
func (e RecordErrors) Unwrap() []error {
	all := make([]error, 0, len(e))
	for _, one := range e {
		if one.Err != nil {
			all = append(all, one.Err)
		}
	}
	return all
}
