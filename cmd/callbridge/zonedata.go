package main

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"callbridge/zonedata"
)

// useZoneData replaces the embedded zone data by TZDATA_FILE, before any command runs:
// check and map have to decide as serve does.
func useZoneData(*cobra.Command, []string) error {
	if file := os.Getenv("TZDATA_FILE"); file != "" {
		return zonedata.Use(file)
	}
	return nil
}

// oldZoneData says that the zone data are old, and what to do, or nothing.
func oldZoneData(now time.Time) string {
	if !zonedata.IsOld(now) {
		return ""
	}
	return fmt.Sprintf("the zone data are %s of %s, and countries change their clocks several times a year: use a newer version of callbridge, or set TZDATA_FILE",
		zonedata.Version(), zonedata.Released().Format(time.DateOnly))
}

// logZoneData writes which zone data are used if they are old, at the start.
func logZoneData(log *slog.Logger) {
	if zonedata.IsOld(time.Now()) {
		log.Warn("zonedata.old", "release", zonedata.Version(), "age", time.Since(zonedata.Released()),
			"hint", "countries change their clocks several times a year: use a newer version of callbridge, or set TZDATA_FILE")
	}
}

// zoneDataReleased is a metric: the day of the release, with its name in a label. An
// alert compares it with the time of Prometheus.
func zoneDataReleased() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "callbridge_zone_data_released_seconds", Help: "Day of the release of the zone data, in Unix time; the label names the release.",
		ConstLabels: prometheus.Labels{"release": zonedata.Version()},
	}, func() float64 { return float64(zonedata.Released().Unix()) })
}
