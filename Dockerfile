# Two stages: the image contains a static binary and the root certificates. Time
# zones are in the binary.
ARG GO_IMAGE=golang:1.26.8-bookworm@sha256:a688600ca24f8a4d3ca77f95b0dd40704a9fc787c826660eb7ba0b641b8b175d

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=(devel)
ARG REVISION=unknown
RUN CGO_ENABLED=0 go build -trimpath -tags nomsgpack \
      -ldflags "-s -w -X 'main.release=${VERSION}' -X 'main.revision=${REVISION}'" \
      -o /out/callbridge ./cmd/callbridge \
 && mkdir /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/callbridge /callbridge
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
ENV CONFIG_FILE=/etc/callbridge/callbridge.yaml NATS_STORE_DIR=/data
VOLUME /data
EXPOSE 8080 8081 4222
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/callbridge", "health"]
ENTRYPOINT ["/callbridge"]
CMD ["serve"]
