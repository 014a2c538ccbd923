// SPDX-License-Identifier: Apache-2.0
module kube-api

go 1.22.0
