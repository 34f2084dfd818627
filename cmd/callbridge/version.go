package main

import (
	"encoding/json"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"callbridge/cmd/callbridge/output"
	"callbridge/untrusted"
	"callbridge/zonedata"
)

// release and revision are stamped by the linker: -X main.release=v1.2.3.
var release, revision string

// build is the output of `version -o json`.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	ZoneData string `json:"zone_data"`
	// ZoneDataReleased is a day: 2026-10-27.
	ZoneDataReleased string `json:"zone_data_released"`
}

func thisBuild() build {
	b := build{
		Version: release, Revision: revision, Go: runtime.Version(),
		ZoneData: zonedata.Version(), ZoneDataReleased: zonedata.Released().Format(time.DateOnly),
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && b.Revision == "" {
			b.Revision = s.Value
		}
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	return b
}

func version() string {
	if v := thisBuild().Version; v != "" {
		return v
	}
	return "(devel)"
}

// buildInfo is a metric that is always 1 and has the version in its labels.
func buildInfo() prometheus.Collector {
	b := thisBuild()
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "callbridge_build_info", Help: "Always 1; the labels name the version that is running.",
		ConstLabels: prometheus.Labels{"version": version(), "revision": b.Revision, "goversion": b.Go},
	}, func() float64 { return 1 })
}

func newVersion() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := thisBuild()
			b.Version = version()
			if format == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(b)
			}
			return untrusted.Fprintf(cmd.OutOrStdout(), "callbridge %s %s %s, zone data %s of %s\n",
				b.Version, b.Revision, b.Go, b.ZoneData, b.ZoneDataReleased)
		},
	}
	output.Flag(cmd, &format, "text", "json")
	return cmd
}
