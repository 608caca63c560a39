package bulkhead

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	protocolVersion  = 1
	launchBytesMax   = 64 * 1024
	windowBytesFirst = 4 * 1024 * 1024
)

// launch is what the host tells a plugin before it dials: one line of JSON.
type launch struct {
	Protocol        int        `json:"protocol"`
	Address         string     `json:"address"`
	Token           string     `json:"token"`
	MaxMessageBytes int        `json:"max_message_bytes"`
	WindowBytes     int32      `json:"window_bytes"`
	TLS             *launchTLS `json:"tls"`
}

type launchTLS struct {
	CA         string `json:"ca"`
	Cert       string `json:"cert"`
	Key        string `json:"key"`
	ServerName string `json:"server_name"`
}

func parseLaunch(text []byte) (*launch, error) {
	var said launch
	if err := json.Unmarshal(text, &said); err != nil {
		// The error's own words may quote the line, and with it the token.
		return nil, errors.New("cannot read the launch line: it is not the JSON that a host writes")
	}
	// It names the highest version that the host speaks: a newer host welcomes this plugin or rejects it.
	if said.Protocol < protocolVersion {
		return nil, fmt.Errorf("the host speaks protocol %d at most; this SDK knows %d", said.Protocol, protocolVersion)
	}
	for name, lacks := range map[string]bool{
		"address":           said.Address == "",
		"token":             said.Token == "",
		"max_message_bytes": said.MaxMessageBytes <= 0,
	} {
		if lacks {
			return nil, fmt.Errorf("the launch line lacks %s", name)
		}
	}
	if said.WindowBytes <= 0 {
		said.WindowBytes = windowBytesFirst
	}
	return &said, nil
}

// readLaunch reads the line from stdin, or from the file of an attached plugin. hostIsGone is called
// when the host closes stdin.
func readLaunch(plugin string, hostIsGone func()) (*launch, error) {
	if path := os.Getenv("BULKHEAD_CONNECT"); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("cannot read the file that BULKHEAD_CONNECT names: %w", err)
		}
		return parseLaunch(text)
	}
	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return nil, fmt.Errorf("this is a Bulkhead plugin: a host starts it, or you do as a host with "+
			"plugin.attach=%s says; the argument `manifest` prints its plugin.json", plugin)
	}
	pipe := bufio.NewReader(io.LimitReader(os.Stdin, launchBytesMax))
	line, err := pipe.ReadBytes('\n')
	if err != nil && len(line) >= launchBytesMax {
		return nil, errors.New("the launch line is too long")
	}
	if len(bytes.TrimSpace(line)) == 0 {
		return nil, errors.New("stdin ended before the launch line")
	}
	said, err := parseLaunch(line)
	if err == nil {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			hostIsGone()
		}()
	}
	return said, err
}
