package words

import (
	"fmt"
	"testing"
)

func TestCount(t *testing.T) {
	for text, want := range map[string]int{"": 0, "a": 1, "a b a": 2} {
		t.Run(text, func(t *testing.T) {
			if got := Count(text)["a"]; got != want {
				t.Errorf("got %d, want %d", got, want)
			}
		})
	}
}

func TestOtherLanguages(t *testing.T) {
	t.Skip("not yet")
}

func ExampleCount() {
	fmt.Println(Count("to be or not to be")["be"])
	// Output: 2
}
