module callbridge

go 1.26.0

require (
	github.com/google/uuid v1.6.0
	go.yaml.in/yaml/v4 v4.0.0
)
