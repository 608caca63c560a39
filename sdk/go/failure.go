package bulkhead

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"

	pb "bulkhead/sdk/go/gen/bulkhead/plugin/v1"
)

const (
	causesMax     = 20
	stackBytesMax = 64 * 1024
	textBytesMax  = 16 * 1024
)

// userError is what a user's function returned or panicked with, and where.
type userError struct {
	err   error
	where string
	// Of a panic: its goroutine's stack without the SDK's frames.
	stack string
}

func (e *userError) Error() string { return e.err.Error() }
func (e *userError) Unwrap() error { return e.err }

// panicError is what a panic was called with.
type panicError struct{ value any }

func (e *panicError) Error() string { return "panic: " + printed(e.value) }

func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

// printed never panics itself: fmt catches what a String or Error method does.
func printed(value any) string { return fmt.Sprintf("%v", value) }

// errGoexit: nothing else leaves a user's function like this.
var errGoexit = errors.New("user code ended its goroutine (runtime.Goexit)")

// sound is err, or what can be said of one that cannot be looked at: a nil pointer that is an error.
func sound(err error) (safe error) {
	defer func() {
		if value := recover(); value != nil {
			safe = fmt.Errorf("an error of type %T cannot be looked at: %s", err, printed(value))
		}
	}()
	// Walks all that it wraps.
	_ = errors.Is(err, errGoexit)
	_ = err.Error()
	return err
}

// callUser runs a function of the user's. An error comes back with the function's file and line, a
// panic as an error with its stack.
func callUser(instance any, method string, run func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &userError{err: &panicError{value}, stack: userStack(debug.Stack())}
		}
	}()
	err = run()
	if err != nil {
		err = &userError{err: sound(err), where: placeOf(instance, method)}
	}
	return err
}

// placeOf says where a method stands: Go's errors know no line.
func placeOf(instance any, method string) string {
	found, ok := reflect.TypeOf(instance).MethodByName(method)
	if !ok {
		return method
	}
	function := runtime.FuncForPC(found.Func.Pointer())
	if function == nil {
		return method
	}
	file, line := function.FileLine(function.Entry())
	return fmt.Sprintf("%s (%s:%d)", function.Name(), file, line)
}

const ownPackage = "bulkhead/sdk/go."

// userStack leaves out what a stack has above the panic and below the SDK's own call.
func userStack(stack []byte) string {
	lines := strings.Split(strings.TrimSpace(string(stack)), "\n")
	begin := 1
	for at, line := range lines {
		if strings.HasPrefix(line, "panic(") {
			begin = at + 2
		}
	}
	end := len(lines)
	for at := begin; at < len(lines); at += 2 {
		if strings.HasPrefix(lines[at], ownPackage+"callUser") {
			end = at
			break
		}
	}
	if begin >= end {
		return strings.Join(lines, "\n")
	}
	return strings.Join(lines[begin:end], "\n")
}

func toFailure(err error) *pb.Failure {
	err = sound(err)
	code, reaction := pb.FailureCode_FAILURE_CODE_INTERNAL, pb.FailureClass_FAILURE_CLASS_FATAL
	hint := ""
	var said *Error
	if errors.As(err, &said) {
		code, reaction, hint = said.code, said.reaction, said.Hint
	}
	inner := withoutWrapping(err)
	return &pb.Failure{
		Code:           code,
		FailureClass:   reaction,
		Text:           textOf(inner),
		Hint:           clean(hint),
		ExceptionClass: clean(fmt.Sprintf("%T", inner)),
		Stack:          stackOf(err),
		Causes:         causesOf(inner),
	}
}

// asData is the failure of one record.
func asData(err error) *pb.Failure {
	said := toFailure(err)
	said.Code, said.FailureClass = pb.FailureCode_FAILURE_CODE_DATA, pb.FailureClass_FAILURE_CLASS_DATA
	return said
}

// withoutWrapping leaves out what the SDK put around an error.
func withoutWrapping(err error) error {
	for {
		switch one := err.(type) {
		case *userError:
			err = one.err
		case *Error:
			err = one.err
		default:
			return err
		}
	}
}

func textOf(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("%T", err)
		}
	}()
	if text = clean(err.Error()); text == "" {
		text = fmt.Sprintf("%T", err)
	}
	return text
}

func stackOf(err error) string {
	var lines strings.Builder
	fmt.Fprintf(&lines, "%T: %s", withoutWrapping(err), textOf(err))
	for at := err; at != nil; at = errors.Unwrap(at) {
		switch one := at.(type) {
		case *userError:
			if one.where != "" {
				lines.WriteString("\n\treturned by " + one.where)
			}
			if one.stack != "" {
				lines.WriteString("\n" + one.stack)
			}
		case *Error:
			if one.madeAt != "" {
				lines.WriteString("\n\tmade by " + one.madeAt)
			}
		}
	}
	text := lines.String()
	if len(text) > stackBytesMax {
		text = text[:stackBytesMax/2] + "\n…\n" + text[len(text)-stackBytesMax/2:]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

func causesOf(err error) []*pb.Cause {
	var causes []*pb.Cause
	var add func(error)
	add = func(cause error) {
		if cause == nil || len(causes) >= causesMax {
			return
		}
		switch cause.(type) {
		case *userError, *Error:
		default:
			causes = append(causes, &pb.Cause{ExceptionClass: clean(fmt.Sprintf("%T", cause)), Text: textOf(cause)})
		}
		each(cause, add)
	}
	each(err, add)
	return causes
}

func each(err error, visit func(error)) {
	switch one := err.(type) {
	case interface{ Unwrap() error }:
		visit(one.Unwrap())
	case interface{ Unwrap() []error }:
		for _, cause := range one.Unwrap() {
			visit(cause)
		}
	}
}

// clean makes text that a message can carry: valid UTF-8, and bounded.
func clean(text string) string {
	if len(text) > textBytesMax {
		text = text[:textBytesMax] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
