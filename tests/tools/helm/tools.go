// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package tools names Helm's own program, so that go.mod and go.sum pin all that it is built of.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
